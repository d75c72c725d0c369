"""Why something happened and what followed: by causes named in the log, never by clocks."""

from __future__ import annotations

import heapq
import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from events.codec import decode_event
from events.service import ServiceWentDown
from projections.base import moment_text
from projections.texts import Tone, describe, first_probe_text, tone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from projections.base import Row

EVENTS_MAX = 2_000
NEWEST = 2**62
WENT_DOWN = "standfast.service.went_down.v1"
LOST_SIGHT = "standfast.service.lost_sight.v1"
_SERVICE_ENDS = frozenset({"standfast.service.became_healthy.v1", "standfast.service.retired.v1"})
_SERVICE_FACTS = _SERVICE_ENDS | {WENT_DOWN, LOST_SIGHT}
_OPENINGS = {
    "incident": "standfast.incident.opened.v1",
    "alert": "standfast.alert.fired.v1",
    "recovery": "standfast.recovery.planned.v1",
}
_UNSHOWN_KINDS = frozenset({"policy", "host", "placement", "platform", "topology"})


class NothingKnownError(LookupError):
    """There is no such event or entity in the log."""


class Journal(Protocol):
    """The questions that the chain is found by. Rows are those of `projections.journal`."""

    def by_ids(self, ids: Iterable[str]) -> list[Row]:
        """Give the events of these ids."""
        ...

    def caused_by(self, ids: Iterable[str]) -> list[Row]:
        """Give the events that one of these caused."""
        ...

    def of_entity(self, entity: str, first_sequence: int = 0, limit: int = 1_000) -> list[Row]:
        """Give an entity's events from a sequence on, oldest first."""
        ...

    def last_of(self, entity: str, types: Sequence[str], through: int) -> Row | None:
        """Give an entity's newest event of some types (all when empty), up to a sequence."""
        ...


class MemoryJournal:
    """A journal of rows in memory, as read from the log itself."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Hold rows in any order."""
        self._rows = sorted(rows, key=_place)

    def by_ids(self, ids: Iterable[str]) -> list[Row]:
        """Give the events of these ids."""
        wanted = set(ids)
        return [row for row in self._rows if row["id"] in wanted]

    def caused_by(self, ids: Iterable[str]) -> list[Row]:
        """Give the events that one of these caused."""
        wanted = set(ids)
        return [row for row in self._rows if row["causation_id"] in wanted]

    def of_entity(self, entity: str, first_sequence: int = 0, limit: int = 1_000) -> list[Row]:
        """Give an entity's events from a sequence on, oldest first."""
        found = [r for r in self._rows if r["entity"] == entity and r["sequence"] >= first_sequence]
        return found[:limit]

    def last_of(self, entity: str, types: Sequence[str], through: int) -> Row | None:
        """Give an entity's newest event of some types (all when empty), up to a sequence."""
        for row in reversed(self._rows):
            fits = row["sequence"] <= through and (not types or row["type"] in types)
            if row["entity"] == entity and fits:
                return row
        return None


@dataclass(frozen=True, slots=True)
class Link:
    """One event of a chain.

    `cause` is the id of the event that the log names as its cause, where it is in the chain.
    `parent` is that, or else the entity's event before it, one `depth` or none above.
    """

    depth: int
    cause: str | None
    parent: str | None
    time: str
    entity: str
    event: str
    tone: Tone
    text: str
    event_id: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Chain:
    """All that led to something and all that followed, in the order of causes."""

    about: str
    links: tuple[Link, ...]
    truncated: bool = False

    def as_json(self) -> dict[str, Any]:
        """Give the chain as JSON."""
        links = [asdict(link) for link in self.links]
        return {"about": self.about, "chain": links, "truncated": self.truncated}


def why(journal: Journal, wanted: str) -> Chain:
    """Give the chain around an entity's latest episode (`kind/id`) or around an event (its id).

    Raises `NothingKnownError`.
    """
    closure = Closure(journal)
    closure.close(_start(journal, wanted))
    links = _links(_ordered(list(closure.found.values())))
    return Chain(wanted, tuple(links), closure.truncated)


def _start(journal: Journal, wanted: str) -> Row:
    if "/" not in wanted:
        for row in journal.by_ids([wanted]):
            return row
        raise NothingKnownError(f"there is no event {wanted[:100]!r}")
    kinds_of_start: tuple[tuple[str, ...], ...] = ((),)
    if wanted.startswith("service/"):
        kinds_of_start = ((WENT_DOWN,), (LOST_SIGHT,), ())
    for types in kinds_of_start:
        newest = journal.last_of(wanted, types, NEWEST)
        if newest is not None:
            return newest
    raise NothingKnownError(f"nothing ever happened to {ascii(wanted[:100])[1:-1]}")


class Closure:
    """The events that belong together, found by asking what is next to those already found."""

    def __init__(self, journal: Journal, events_max: int = EVENTS_MAX) -> None:
        """Ask a journal; stop at so many events."""
        self._journal = journal
        self._events_max = events_max
        self.found: dict[str, Row] = {}
        self.truncated = False

    def close(self, start: Row) -> None:
        """Find all that belongs to an event, both ways."""
        fresh = self._add([start], shown_only=False)
        while fresh and not self.truncated:
            fresh = self._add(self._next_to(fresh), shown_only=True)

    def _add(self, rows: Iterable[Row], *, shown_only: bool) -> list[Row]:
        fresh = []
        for row in rows:
            if row["id"] in self.found or (shown_only and row["kind"] in _UNSHOWN_KINDS):
                continue
            if len(self.found) >= self._events_max:
                self.truncated = True
                break
            self.found[row["id"]] = row
            fresh.append(row)
        return fresh

    def _next_to(self, fresh: list[Row]) -> Iterator[Row]:
        causes = {row["causation_id"] for row in fresh} - {None} - self.found.keys()
        yield from self._journal.by_ids(causes)
        yield from self._journal.caused_by(row["id"] for row in fresh)
        for row in fresh:
            if row["kind"] in _OPENINGS:
                yield from self._episode(row)
                yield from self._named(row)
            elif row["type"] in _SERVICE_FACTS:
                yield from self._failure(row["entity"], row["sequence"])

    def _episode(self, row: Row) -> Iterator[Row]:
        """Give what happened to an incident, alert or recovery in the same life of it."""
        opening = _OPENINGS[row["kind"]]
        first = self._journal.last_of(row["entity"], (opening,), row["sequence"])
        if first is None or (first["id"] in self.found and row["id"] != first["id"]):
            return
        for number, event in enumerate(self._journal.of_entity(row["entity"], first["sequence"])):
            if number and event["type"] == opening and event["id"] != first["id"]:
                return
            yield event

    def _named(self, row: Row) -> Iterator[Row]:
        """Give the events of other entities that an event names in its fields."""
        data = json.loads(row["data"])
        if row["kind"] == "incident":
            for name in ("cause", "service"):
                if data.get(name):
                    service = "service/" + data[name].removeprefix("service/")
                    yield from self._failure(service, row["sequence"])
        elif data.get("incident"):
            incident = "incident/" + data["incident"].removeprefix("incident/")
            opened = self._journal.last_of(incident, (_OPENINGS["incident"],), row["sequence"])
            yield from [] if opened is None else [opened]

    def _failure(self, service: str, through: int) -> Iterator[Row]:
        """Give a service's last failure up to a sequence, and how it ended."""
        down = self._journal.last_of(service, (WENT_DOWN, LOST_SIGHT), through)
        if down is None:
            return
        for event in self._journal.of_entity(service, down["sequence"], 100):
            if event["type"] in _SERVICE_FACTS:
                yield event
            if event["type"] in _SERVICE_ENDS:
                return


def _place(row: Row) -> tuple[int, int]:
    return row["sequence"], row["index"]


def _ordered(rows: list[Row]) -> list[Row]:
    """Put causes before their effects; what is not ordered so keeps the log's order."""
    known = {row["id"]: row for row in rows}
    followers: dict[str, list[Row]] = defaultdict(list)
    waiting = {row["id"]: 0 for row in rows}
    for row in rows:
        if row["causation_id"] in known:
            followers[row["causation_id"]].append(row)
            waiting[row["id"]] = 1
    ready = [(*_place(row), row["id"]) for row in rows if not waiting[row["id"]]]
    heapq.heapify(ready)
    ordered: list[Row] = []
    while ready:
        row = known[heapq.heappop(ready)[2]]
        ordered.append(row)
        for follower in followers[row["id"]]:
            heapq.heappush(ready, (*_place(follower), follower["id"]))
    return ordered


def _links(rows: list[Row]) -> Iterator[Link]:
    """Give the links of ordered rows, each failure after the probe that first showed it."""
    depths: dict[str, int] = {}
    last_of_entity: dict[str, str] = {}
    for row in rows:
        cause, before = row["causation_id"], last_of_entity.get(row["entity"])
        if cause in depths:
            place = _At(depths[cause] + 1, cause, cause)
        else:
            place = _At(depths[before] if before else 0, None, before)
        depths[row["id"]] = place.depth
        last_of_entity[row["entity"]] = row["id"]
        yield from _link(row, place)


@dataclass(frozen=True, slots=True)
class _At:
    """Where in the chain an event is."""

    depth: int
    cause: str | None
    parent: str | None


def _link(row: Row, at: _At) -> Iterator[Link]:
    try:
        event = decode_event(row["type"], json.loads(row["data"]))
    except ValueError:
        text = f"an event that this build cannot read: {row['type']}"
        yield _as_link(row, at, row["type"], "plain", text)
        return
    if isinstance(event, ServiceWentDown):
        text = first_probe_text(event, row["entity"].partition("/")[2])
        since = moment_text(event.since)
        yield _as_link({**row, "time": since}, at, "ProbeFailed", "bad", text)
    name, text = type(event).__name__, describe(event, row["entity"])
    yield _as_link(row, at, name, tone_of(event), text)


def _as_link(row: Row, at: _At, event: str, tone: Tone, text: str) -> Link:
    return Link(
        depth=at.depth,
        cause=at.cause,
        parent=at.parent,
        time=row["decided"],
        entity=row["entity"],
        event=event,
        tone=tone,
        text=text,
        event_id=row["id"],
        sequence=row["sequence"],
    )
