"""All that belongs to an event, found by what the log names as causes, both ways."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from standfast.why.journal import Journal, NothingKnownError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


def start_of(journal: Journal, wanted: str) -> Row:
    """Give where to begin for a `kind/id` or an event's id. Raises `NothingKnownError`."""
    if "/" not in wanted:
        for row in journal.by_ids([wanted]):
            return row
        raise NothingKnownError(f"there is no event {wanted[:100]!r}")
    beginnings: tuple[tuple[str, ...], ...] = ((),)
    if wanted.startswith("service/"):
        beginnings = ((WENT_DOWN,), (LOST_SIGHT,), ())
    for types in beginnings:
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
