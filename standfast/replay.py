"""States from the log alone, as of any instant: a cut of it, checkpoints before, the tail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors.base import state_name
from actors.deciders import KINDS
from actors.host import HostRecord
from actors.placement import Placement
from actors.policies.base import PolicyState
from actors.runtime.store import Entities, Store
from actors.service import Unproven, Watched
from events.address import EntityAddress
from events.log import stored_at
from events.placement import BucketRange

if TYPE_CHECKING:
    from datetime import datetime

    from actors.runtime.entity import Entity
    from events.log import Log

PARKED = "parked"


class NoSuchPlaceError(LookupError):
    """The log has no such sequence; the message says where it ends."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A place in the whole log: everything up to its sequence, nothing after it.

    `time` is when the last commit in it was stored, None where nothing is in it.
    """

    sequence: int
    time: datetime | None


@dataclass(frozen=True, slots=True)
class EntityState:
    """What one entity was: `state` in a word, `data` in full, `sequence` of its last commit."""

    kind: str
    id: str
    state: str
    data: Any
    sequence: int
    parked: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give it for programs; `parked` only where the entity is in quarantine."""
        content = {
            "kind": self.kind,
            "id": self.id,
            "state": self.state,
            "data": self.data,
            "sequence": self.sequence,
        }
        return {**content, "parked": self.parked} if self.parked else content


async def cut_at(log: Log, moment: datetime) -> Cut:
    """Give the cut of a moment: up to the last commit that was stored by then."""
    low, high = 0, await log.head_sequence()
    while low < high:
        middle = (low + high + 1) // 2
        place, stored = await _stored_from(log, middle, high)
        if stored is None or stored > moment:
            high = middle - 1
        else:
            low = place
    return await _cut(log, low)


async def cut_of(log: Log, sequence: int) -> Cut:
    """Give the cut of a sequence. Raises `NoSuchPlaceError` beyond the log's end."""
    head = await log.head_sequence()
    if not 0 <= sequence <= head:
        raise NoSuchPlaceError(f"the log has no sequence {sequence}; it ends at {head}")
    return await _cut(log, sequence)


async def _cut(log: Log, sequence: int) -> Cut:
    message = await log.message(sequence) if sequence else None
    time = None if message is None else stored_at(message)
    return Cut(sequence, time)


async def _stored_from(log: Log, sequence: int, last: int) -> tuple[int, datetime | None]:
    """Give the first commit from a sequence on, and when it was stored; missing ones are passed."""
    for place in range(sequence, last + 1):
        message = await log.message(place)
        if message is not None:
            return place, stored_at(message)
    return last, None


async def states_at(log: Log, cut: Cut, kind: str = "", entity_id: str = "") -> list[EntityState]:
    """Give the states of all entities, or of a kind or an id, as of a cut, by address."""
    store = Store(log)
    if kind and entity_id:
        address = EntityAddress(kind, entity_id)
        entities: Entities = {address: await store.load_entity(address, cut.sequence)}
    else:
        entities = await store.load(_ranges(kind, entity_id), cut.sequence)
    return [
        state_of(entity)
        for address, entity in sorted(entities.items())
        if entity.head.sequence and entity_id in ("", address.id)
    ]


def _ranges(kind: str, entity_id: str) -> list[BucketRange]:
    kinds = (kind,) if kind else KINDS
    if not entity_id:
        return [BucketRange(kind=one) for one in kinds]
    bucket = EntityAddress("any", entity_id).bucket
    return [BucketRange(kind=one, first=bucket, last=bucket) for one in kinds]


def state_of(entity: Entity) -> EntityState:
    """Give an entity's state; one in quarantine is `parked`, with what is known of it."""
    quarantine = entity.quarantine
    return EntityState(
        kind=entity.address.kind,
        id=entity.address.id,
        state=PARKED if quarantine else word_for(entity.state),
        data=entity.decider.states.dump_python(entity.state, mode="json"),
        sequence=entity.head.sequence,
        parked=quarantine.error if quarantine else "",
    )


def word_for(state: object) -> str:
    """Give a state in a word, as the projections do: `down`, `no data`, `firing`, `resolved`."""
    match state:
        case Watched(health=Unproven()):
            return "unknown"
        case Watched(health=health):
            return _spoken(state_name(health))
        case PolicyState(position=position):
            return "at work" if position else "new"
        case Placement(epoch=epoch):
            return f"epoch {epoch}"
        case HostRecord():
            return "started"
        case _:
            return _spoken(state_name(state))


def _spoken(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
