"""`standfast replay`: the states of any instant, computed from the log and nothing else."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any

import typer

from events.reader import Start
from standfast.cli.arguments import IdOption, KindOption, Which, moment_of
from standfast.cli.events import lines_of
from standfast.cli.terminal import (
    EXIT_USAGE,
    JsonOption,
    StateOption,
    fail,
    plain,
    print_json,
    say,
    state_text,
)
from standfast.cli.work import run, session
from standfast.replay import Cut, EntityState, NoSuchPlaceError, cut_at, cut_of, states_at

if TYPE_CHECKING:
    from pathlib import Path

    from events.log import Log
    from standfast.cli.events import Line

CHANGES_MAX = 10_000
PLACE = "a moment or a sequence of the log"

FromOption = Annotated[
    str, typer.Option("--from", metavar="T|SEQ", help=f"Show also what changed since {PLACE}.")
]
UntilOption = Annotated[
    str, typer.Option("--until", metavar="T|SEQ", help=f"The instant: {PLACE}; else now.")
]


@dataclass(frozen=True, slots=True)
class Replayed:
    """States as of a cut, and what happened since an earlier one, where that was asked for."""

    cut: Cut
    states: list[EntityState]
    since: Cut | None
    changes: list[Line]

    def as_json(self) -> dict[str, Any]:
        """Give it for programs."""
        content = _cut_json(self.cut)
        if self.since is not None:
            content["from"] = _cut_json(self.since)
            content["changes"] = [line.json for line in self.changes]
            content["changes_truncated"] = len(self.changes) >= CHANGES_MAX
        content["states"] = [state.as_json() for state in self.states]
        return content


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    from_: FromOption = "",
    until: UntilOption = "",
    kind: KindOption = "",
    id: IdOption = "",  # noqa: A002  (the option's name)
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Show what everything was at an instant, from the log alone.

    The instant is a place in the whole log, so that all states are of one moment: for a time
    it is the last commit that was stored by then.

    Example: [bold]standfast replay --until -10m --kind service[/]
    """
    which = Which.read(kind, id)
    found = run(_replay(which, from_, until, state_dir))
    if json:
        print_json(found.as_json())
    else:
        _show(found)


async def _replay(which: Which, since: str, until: str, given: Path | None) -> Replayed:
    wanted = [place_of("--from", since), place_of("--until", until or "now")]
    async with session(given) as opened:
        log = opened.log
        begin = await _cut(log, wanted[0]) if since else None
        cut = await _cut(log, wanted[1])
        if begin is not None and begin.sequence > cut.sequence:
            fail(f"--from is at {begin.sequence}, after --until at {cut.sequence}", EXIT_USAGE)
        states = await states_at(log, cut, which.kind, which.id)
        changes = await _changes(log, which, begin, cut) if begin else []
        return Replayed(cut, states, begin, changes)


def place_of(option: str, text: str) -> Any:  # noqa: ANN401  (a sequence or a moment)
    """Read a sequence (digits only) or a moment; a wrong one ends the command."""
    if not text:
        return None
    shown = text.strip()
    if shown.isascii() and shown.isdecimal():
        return int(shown[:19])
    return moment_of(option, shown)


async def _cut(log: Log, place: Any) -> Cut:  # noqa: ANN401  (as `place_of` gives it)
    try:
        return await (cut_of(log, place) if isinstance(place, int) else cut_at(log, place))
    except NoSuchPlaceError as error:
        fail(str(error), EXIT_USAGE)


async def _changes(log: Log, which: Which, begin: Cut, cut: Cut) -> list[Line]:
    """Give what happened after one cut up to another, the first ten thousand of it."""
    found: list[Line] = []
    if begin.sequence >= cut.sequence:
        return found
    reading = log.read(which.filters, Start(begin.sequence + 1), cut.sequence)
    async with contextlib.aclosing(reading):
        async for batch in reading:
            for message in batch:
                found.extend(lines_of(log, message))
            if len(found) >= CHANGES_MAX:
                break
    return found[:CHANGES_MAX]


def _cut_json(cut: Cut) -> dict[str, Any]:
    time = None if cut.time is None else cut.time.isoformat()
    return {"sequence": cut.sequence, "time": time}


def _show(found: Replayed) -> None:
    for line in found.changes:
        say(line.markup)
    if len(found.changes) >= CHANGES_MAX:
        say(f"[yellow]only the first {CHANGES_MAX} changes are shown[/]")
    say(f"[bold]as of {_cut_text(found.cut)}[/]")
    for one in found.states:
        address = plain(f"{one.kind}/{one.id}".ljust(44))
        trouble = f" {plain(one.parked)}" if one.parked else ""
        say(f"  {address} {state_text(one.state, 12)} [dim]at {one.sequence}[/]{trouble}")
    if not found.states:
        say("  nothing had happened to any such entity")


def _cut_text(cut: Cut) -> str:
    if cut.time is None:
        return f"sequence {cut.sequence}"
    return f"sequence {cut.sequence}, {cut.time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z"
