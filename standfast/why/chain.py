"""A chain: the events that belong together, causes before effects, as people read them."""

from __future__ import annotations

import heapq
import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from events.codec import decode_event
from events.service import ServiceWentDown
from projections.base import moment_text
from projections.texts import Tone, describe, first_probe_text, tone_of
from standfast.why.journal import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from projections.base import Row


@dataclass(frozen=True, slots=True)
class Link:
    """One event of a chain.

    `cause` is the id of the event that the log names as its cause, where it is in the chain.
    `parent` is that, or else what the entity's story in the chain began with: what a timer did,
    such as trying a notice again, follows from there. It is one `depth` or none above.
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


def in_order(rows: list[Row]) -> list[Row]:
    """Put causes before their effects; what is not ordered so keeps the log's order."""
    known = {row["id"]: row for row in rows}
    followers: dict[str, list[Row]] = defaultdict(list)
    waiting = {row["id"]: 0 for row in rows}
    for row in rows:
        if row["causation_id"] in known:
            followers[row["causation_id"]].append(row)
            waiting[row["id"]] = 1
    ready = [(*place(row), row["id"]) for row in rows if not waiting[row["id"]]]
    heapq.heapify(ready)
    ordered: list[Row] = []
    while ready:
        row = known[heapq.heappop(ready)[2]]
        ordered.append(row)
        for follower in followers[row["id"]]:
            heapq.heappush(ready, (*place(follower), follower["id"]))
    return ordered


def links_of(rows: list[Row]) -> Iterator[Link]:
    """Give the links of ordered rows, each failure after the probe that first showed it."""
    depths: dict[str, int] = {}
    beginnings: dict[str, str] = {}
    for row in rows:
        cause, beginning = row["causation_id"], beginnings.get(row["entity"])
        if cause in depths:
            at = _At(depths[cause] + 1, cause, cause)
        else:
            at = _At(depths[beginning] if beginning else 0, None, beginning)
        depths[row["id"]] = at.depth
        beginnings.setdefault(row["entity"], row["id"])
        yield from _link(row, at)


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
