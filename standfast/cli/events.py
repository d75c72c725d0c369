"""`standfast events`: what happened, from the log itself, past and live."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any

import typer

from events.address import InvalidAddressError
from events.commit import UnreadableCommitError
from events.reader import Start
from events.subjects import entity_of
from projections.texts import describe, tone_of
from standfast.cli.arguments import IdOption, KindOption, Which, optional_moment
from standfast.cli.terminal import (
    TONE_STYLES,
    JsonOption,
    StateOption,
    print_json_line,
    say,
    styled,
)
from standfast.cli.work import EXIT_INTERRUPTED, run, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from datetime import datetime
    from pathlib import Path

    from events.base import Envelope
    from events.log import Log
    from events.reader import Message

SinceOption = Annotated[
    str, typer.Option("--since", metavar="T", help="From then on; `-10m` is ten minutes ago.")
]
UntilOption = Annotated[str, typer.Option("--until", metavar="T", help="Up to then.")]
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Go on live until Ctrl-C.")]
LimitOption = Annotated[
    int | None, typer.Option("--limit", "-n", min=1, help="Only so many, the newest.")
]


@dataclass(frozen=True, slots=True)
class Line:
    """One event, or a commit that can't be read, as it is printed."""

    json: dict[str, Any]
    markup: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: of which entities, stored between which moments, and how many."""

    which: Which
    since: datetime | None
    until: datetime | None
    limit: int | None
    follow: bool
    json: bool


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(events)


def events(  # noqa: PLR0913, PLR0917  (each is an option)
    kind: KindOption = "",
    id: IdOption = "",  # noqa: A002  (the option's name)
    since: SinceOption = "",
    until: UntilOption = "",
    follow: FollowOption = False,  # noqa: FBT002
    limit: LimitOption = None,
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Print events in the log's order, one a line; with --json as CloudEvents.

    Times are when the log took an event in; with --follow alone only what is new is printed.

    Example: [bold]standfast events --kind service --since -10m --follow[/]
    """
    wanted = Wanted(
        Which.read(kind, id),
        optional_moment("--since", since),
        optional_moment("--until", until),
        limit,
        follow,
        json,
    )
    try:
        run(_events(wanted, state_dir))
    except typer.Exit as ended:
        if follow and ended.exit_code == EXIT_INTERRUPTED:
            raise typer.Exit(0) from None
        raise


async def _events(wanted: Wanted, given: Path | None) -> None:
    async with session(given) as opened:
        log = opened.log
        head = await log.head_sequence()
        if not wanted.follow or wanted.since or wanted.limit:
            await _print_past(log, wanted, head)
        if wanted.follow:
            await _print_live(log, wanted, head)


async def _print_past(log: Log, wanted: Wanted, head: int) -> None:
    """Print what is there; where only the newest are wanted, hold no more than those."""
    held: deque[Line] = deque(maxlen=wanted.limit)
    start = Start(time=wanted.since) if wanted.since else Start()
    reading = log.read(wanted.which.filters, start, head)
    async with contextlib.aclosing(reading):
        async for line in _lines(log, reading, wanted.until, wanted.since):
            if wanted.limit:
                held.append(line)
            else:
                _print(line, json=wanted.json)
    for line in held:
        _print(line, json=wanted.json)


async def _print_live(log: Log, wanted: Wanted, after: int) -> None:
    following = log.follow(wanted.which.filters, Start(after + 1))
    async with contextlib.aclosing(following):
        async for line in _lines(log, following, wanted.until):
            _print(line, json=wanted.json)


async def _lines(
    log: Log,
    batches: AsyncIterator[list[Message]],
    until: datetime | None,
    since: datetime | None = None,
) -> AsyncIterator[Line]:
    async for batch in batches:
        for message in batch:
            if since is not None and message.stored < since:  # it was imported later than that
                continue
            if until is not None and message.stored > until:
                return
            for line in lines_of(log, message):
                yield line


def lines_of(log: Log, message: Message) -> Iterator[Line]:
    """Give a stored message's events as lines, or one line that says why there are none."""
    try:
        envelopes = list(log.stored(message).envelopes())
    except (UnreadableCommitError, InvalidAddressError, ValueError) as error:
        yield _unreadable(log, message, error)
        return
    for envelope in envelopes:
        yield Line(envelope.as_cloudevent(), _markup(envelope))


def _markup(envelope: Envelope) -> str:
    """Give one line for people: when, where in the log, who, and what."""
    event, address = envelope.event, str(envelope.entity)
    text = styled(describe(event, address), TONE_STYLES[tone_of(event)])
    return f"{_place(envelope.decided, envelope.position.sequence)} {_entity(address)} {text}"


def _place(time: datetime, sequence: int) -> str:
    shown = time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return f"[dim]{shown}Z {sequence:>6}[/]"


def _entity(address: str) -> str:
    return styled(address, "bold", 32)


def _unreadable(log: Log, message: Message, error: Exception) -> Line:
    """Give the line of a commit that can't be read, as a CloudEvent of its own type."""
    try:
        subject = str(entity_of(message.subject))
    except ValueError:
        subject = message.subject
    reason = f"{type(error).__name__}: {error}"
    text = f"commit {message.sequence} can't be read: {reason}"
    position = log.position(message.sequence)
    content = {
        "specversion": "1.0",
        "id": f"{position.log_id}.{position.generation}.{position.sequence}",
        "source": "/standfast/cli",
        "type": "standfast.log.unreadable_commit",
        "subject": subject,
        "time": message.stored.isoformat(),
        "sequence": message.sequence,
        "datacontenttype": "application/json",
        "data": {"error": reason[:500]},
    }
    place = _place(message.stored, message.sequence)
    return Line(content, f"{place} {_entity(subject)} {styled(text[:500], 'bold red')}")


def _print(line: Line, *, json: bool) -> None:
    if json:
        print_json_line(line.json)
    else:
        say(line.markup)
