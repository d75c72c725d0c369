"""`standfast demo`: break a service of the demo, mend it, and see what its receiver was told."""

from __future__ import annotations

import json as json_library
from typing import TYPE_CHECKING, Annotated, Any

import typer

from effects.recovery.process import ChildProcesses
from scenarios.demo.platform import BREAKABLE, DemoPlatform
from scenarios.demo.settings import DemoUnavailableError
from standfast.cli.arguments import nearest
from standfast.cli.terminal import (
    EXIT_USAGE,
    JsonOption,
    StateOption,
    fail,
    plain,
    print_json,
    say,
    state_directory,
)
from standfast.cli.work import run, speaking
from standfast.runtime import Situation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENTRIES_MAX = 10_000
NameArgument = Annotated[
    str, typer.Argument(metavar="|".join(BREAKABLE), help="Which service to kill.")
]
demo = typer.Typer(
    no_args_is_help=True,
    help=(
        "The small real platform that [bold]standfast up[/] runs without a configuration:"
        " break it, mend it, see what people were told."
    ),
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(demo, name="demo")


@demo.command("break")
def break_service(name: NameArgument, state_dir: StateOption = None) -> None:
    """Kill a service of the demo with signal 9, as a crash would.

    Standfast then detects it, tells the receiver, and starts it again.

    Example: [bold]standfast demo break database && standfast events --follow[/]
    """
    short = name.removeprefix("demo-")
    if short not in BREAKABLE:
        fail(f"there is no {name!r} to break{nearest(name, BREAKABLE)}", EXIT_USAGE)
    with speaking():
        pids = _platform(state_dir).break_service(short)
    killed = ", ".join(str(pid) for pid in pids)
    say(f"killed {BREAKABLE[short]} (pid {killed}); watch: [bold]standfast events --follow[/]")


@demo.command()
def mend(state_dir: StateOption = None) -> None:
    """Start whatever of the demo does not run, in order; what runs is left alone.

    Standfast mends by itself; this is for when it does not run.

    Example: [bold]standfast demo mend[/]
    """
    with speaking():
        platform = _platform(state_dir)
    for child in run(platform.mend()):
        what = "runs already" if child.is_adopted else "started"
        say(f"{plain(child.name)} {what} (pid {child.pid})")


@demo.command()
def receiver(json: JsonOption = False, state_dir: StateOption = None) -> None:  # noqa: FBT002
    """Print the ledger of the demo's webhook receiver: what was truly delivered.

    Example: [bold]standfast demo receiver --json | jq '.entries | length'[/]
    """
    with speaking():
        entries = list(_entries(_platform(state_dir).ledger))
    if json:
        print_json({"entries": entries})
        return
    for entry in entries:
        time = str(entry.get("received", ""))[:19].replace("T", " ")
        say(f"{entry.get('number', '?'):>4} [dim]{plain(time)}[/] {plain(_summary(entry))}")
    if not entries:
        say("nothing was delivered yet")


def _platform(given: Path | None) -> DemoPlatform:
    """Give the demo of a state directory. Raises `NotRunningError`, `DemoUnavailableError`."""
    directory = state_directory(given)
    if not Situation.read(directory).runtime.is_demo:
        raise DemoUnavailableError(
            f"{directory.root} runs a configuration of its own, not the demo;"
            " `standfast up` without --config runs it"
        )
    return DemoPlatform(directory.demo, children=ChildProcesses(directory.children))


def _entries(ledger: Path) -> Iterator[dict[str, Any]]:
    """Give the newest whole lines of the ledger, oldest first."""
    if not ledger.exists():
        return
    with ledger.open("rb") as file:
        lines = file.readlines()[-ENTRIES_MAX:]
    for line in lines:
        try:
            entry = json_library.loads(line)
        except ValueError:
            continue  # torn by a kill
        if isinstance(entry, dict):
            yield entry


def _summary(entry: dict[str, Any]) -> str:
    """Say in a line what was delivered."""
    body = entry.get("body")
    if not isinstance(body, dict):
        return str(body)[:200]
    alerts = body.get("alerts")
    first = alerts[0] if isinstance(alerts, list) and alerts and isinstance(alerts[0], dict) else {}
    annotations = first.get("annotations") or body.get("annotations") or {}
    labels = first.get("labels") or body.get("labels") or {}
    status = body.get("status", "?")
    what = labels.get("alertname", "") if isinstance(labels, dict) else ""
    text = annotations.get("summary", "") if isinstance(annotations, dict) else ""
    return f"{status} {what} {text}".strip()
