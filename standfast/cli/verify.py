"""`standfast verify`: proof that the log is whole and that the projections say what it says."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from projections.compare import compare
from projections.database import open_reader, sqlite_path
from projections.given_up import given_up_counts
from standfast.cli.terminal import (
    EXIT_FAILED,
    JsonOption,
    StateOption,
    plain,
    print_json,
    progress,
    say,
    styled,
)
from standfast.cli.work import run, session
from standfast.kept_copy import KeptCopy
from standfast.verification import BAD_MAX, Findings, Verifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from events.log import Log
    from projections.base import Row
    from projections.compare import Difference

DIFFERENCES_MAX = 100
NoProjections = Annotated[
    bool, typer.Option("--no-projections", help="Leave the projections alone: the log only.")
]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found; `differences` is None where projections were not compared, and why not.

    `given_up` counts commits of earlier lives of the log, which restores gave up: no damage.
    """

    log: Findings
    differences: list[Difference] | None
    why_not: str = ""
    given_up: Sequence[Row] = ()

    @property
    def is_good(self) -> bool:
        """Say whether nothing is wrong."""
        return not self.log.count and not self.differences

    def as_json(self) -> dict[str, Any]:
        """Give it for programs."""
        compared = self.differences is not None
        return {
            "ok": self.is_good,
            "head": self.log.head,
            "commits": self.log.commits,
            "events": self.log.events,
            "bad_count": self.log.count,
            "bad": [asdict(bad) for bad in self.log.bad],
            "given_up": [dict(row) for row in self.given_up],
            "projections": {
                "compared": compared,
                "why_not": self.why_not or None,
                "differences": [
                    {"table": one.table, "key": list(one.key), "what": one.what}
                    for one in self.differences or []
                ],
            },
        }


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(
    no_projections: NoProjections = False,  # noqa: FBT002
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Read the whole log and check it: order, digests, chains, every event, the projections.

    Exit code: 0 when all is as it must be; 1 when not, with each bad sequence named (up to 100).

    Example: [bold]standfast verify && echo the log is whole[/]
    """
    found = run(_verify(state_dir, with_projections=not no_projections))
    if json:
        print_json(found.as_json())
    else:
        _show(found)
    if not found.is_good:
        raise typer.Exit(EXIT_FAILED)


async def _verify(given: Path | None, *, with_projections: bool) -> Verified:
    async with session(given) as opened:
        url = opened.situation.projections_url
        path = sqlite_path(url)
        missing = path is not None and not path.exists()
        if missing or not with_projections:
            why = f"{path} is missing" if missing else "not asked for"
            return Verified(await _verify_log(opened.log, None), None, why)
        with _reading(url) as connection:
            given_up = given_up_counts(connection)
            log = await _verify_log(opened.log, connection)
        if log.count:
            return Verified(log, None, "the log itself is damaged", given_up)
        return Verified(log, await _compare(opened.log, url), given_up=given_up)


async def _compare(log: Log, url: str) -> list[Difference]:
    engine = open_reader(url)
    try:
        with progress("comparing the projections with replay"):
            return await compare(log, engine, differences_max=DIFFERENCES_MAX)
    finally:
        engine.dispose()


async def _verify_log(log: Log, connection: Connection | None) -> Findings:
    kept = KeptCopy(connection, log.identity)
    with progress("reading the log") as told:
        return await Verifier(log, kept).run(told)


@contextmanager
def _reading(url: str) -> Iterator[Connection]:
    engine = open_reader(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _show(found: Verified) -> None:
    log = found.log
    for bad in log.bad:
        whose = f" of {plain(bad.entity)}" if bad.entity else ""
        say(f"{styled(f'{bad.sequence} {bad.what}', 'bold red')}{whose}: {plain(bad.why)}")
    if log.count > BAD_MAX:
        say(f"[red]and {log.count - BAD_MAX} more[/]")
    for row in found.given_up:
        gone = f"{row['commits']} commits of generation {row['generation']}"
        say(f"[dim]{gone} ({row['first']} to {row['last']}) were given up by a restore[/]")
    for one in found.differences or []:
        key = "/".join(str(part) for part in one.key)
        say(f"{styled(f'{one.table} {key}', 'bold red')}: {plain(one.what)}")
    read = f"{log.commits} commits with {log.events} events, up to sequence {log.head}"
    if log.count:
        say(f"[bold red]the log is damaged[/]: {log.count} bad sequences in {read}")
    else:
        say(f"[green]the log is whole[/]: {read}")
    if found.differences is None:
        say(f"[yellow]projections were not compared with replay[/]: {plain(found.why_not)}")
    elif found.differences:
        say("[bold red]projections differ[/]; `standfast projections rebuild all` makes them anew")
    else:
        say("[green]projections equal replay[/]")
