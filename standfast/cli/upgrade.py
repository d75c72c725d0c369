"""`standfast upgrade`: the release that is installed replaces what runs, and nothing stops."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from events.build import build_id
from standfast.cli.terminal import (
    EXIT_FAILED,
    JsonOption,
    StateOption,
    fail,
    plain,
    print_json,
    say,
    state_directory,
)
from standfast.cli.work import run, session
from standfast.hosts_asked import ask_hosts, host_names
from standfast.running import processes_of, supervisor_pid
from standfast.runtime import NotRunningError
from standfast.upgrade_account import Account, read_account

if TYPE_CHECKING:
    from pathlib import Path

    from standfast.paths import StateDirectory

LOOK_SECONDS = 0.1
GONE_SECONDS = 30.0
SILENT_SECONDS_MAX = 180.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(upgrade)


ParkOption = Annotated[
    bool,
    typer.Option(
        "--park", help="Park what this release can't read or handle, as an older one may have to."
    ),
]


def upgrade(
    state_dir: StateOption = None,
    park: ParkOption = False,  # noqa: FBT002
    json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Have what runs replaced by the release that is installed now; nothing stops meanwhile.

    First the supervisor, then the plain processes one after the other, then the hosts, some
    buckets at a time. Where the new release is not well, or can't read what an entity has in the
    log, the old hosts get their buckets back.
    Exit code: 0 when everything runs this release, 1 when it does not.

    Example: [bold]pip install --upgrade standfast && standfast upgrade[/]
    """
    directory = state_directory(state_dir)
    account = run(_upgrade(directory, state_dir, may_park=park, quiet=json))
    if json:
        print_json(account.model_dump())
    elif account.state == "done":
        say(f"[green]everything runs {plain(account.build)}[/]")
    if account.state == "refused":
        fail(f"nothing was changed: {account.reason}")
    if account.state != "done":
        fail(f"it went back: {account.reason}", EXIT_FAILED)


async def _upgrade(
    directory: StateDirectory, given: Path | None, *, may_park: bool, quiet: bool
) -> Account:
    pid = supervisor_pid(directory)
    if pid is None:
        raise NotRunningError(f"Standfast does not run with {directory.root}: `standfast up`")
    if await _builds(directory, given) == {build_id()}:
        return Account(state="done", build=build_id(), lines=("nothing is of another build",))
    running = read_account(directory)
    if running is None or running.is_over:
        Account(state="asked", build=build_id(), may_park=may_park).write(directory)
    os.kill(pid, signal.SIGUSR2)
    return await _followed(directory, quiet=quiet)


async def _builds(directory: StateDirectory, given: Path | None) -> set[str]:
    """Give the builds of all that runs, "" where one does not say."""
    asked = [one for one in processes_of(directory) if one.says_build]
    async with session(given) as opened:
        names = await host_names(opened.log)
        hosts = await ask_hosts(opened.client, names, entities=False)
    return {one.build for one in asked} | {one.build for one in hosts.hosts}


async def _followed(directory: StateDirectory, *, quiet: bool) -> Account:
    """Tell what the account says until it is over; it may outlive several supervisors."""
    shown, heard = 0, time.monotonic()
    seen = heard
    while True:
        if supervisor_pid(directory) is not None:  # it holds no lock while it becomes its successor
            seen = time.monotonic()
        account = read_account(directory) or Account(state="asked")
        for line in account.lines[shown:]:
            heard = time.monotonic()
            if not quiet:
                say(f"[dim]{plain(line)}[/]")
        shown = len(account.lines)
        if account.is_over:
            return account
        silent = time.monotonic() - heard
        if silent > SILENT_SECONDS_MAX:
            return account.model_copy(update={"reason": f"nothing happened for {silent:.0f} s"})
        if time.monotonic() - seen > GONE_SECONDS:
            return account.model_copy(update={"reason": "the supervisor ended; `standfast up`"})
        await asyncio.sleep(LOOK_SECONDS)
