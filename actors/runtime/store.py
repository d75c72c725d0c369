"""Reading entities back from the log: whole buckets by one consumer, single ones by subject."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.deciders import UnknownKindError
from actors.runtime.checkpoints import Checkpoint, Checkpoints
from actors.runtime.entity import Entity
from events.address import BUCKETS, EntityAddress, InvalidAddressError
from events.commit import UnreadableCommitError
from events.entity import EntityParked
from events.log import stored_commit
from events.reader import Start
from events.subjects import bucket_in, entity_of, state_filter, state_subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from events.log import Log
    from events.placement import BucketRange
    from events.reader import Message

Entities = dict[EntityAddress, Entity]


@dataclass(slots=True)
class Store:
    """Where hosts, replay and tests get entities from.

    `replayed` counts the commits that whole buckets were read from: what no checkpoint spared.
    """

    log: Log
    replayed: int = 0
    checkpoints: Checkpoints = field(init=False)

    def __post_init__(self) -> None:
        """Use the checkpoints beside the log."""
        self.checkpoints = Checkpoints(self.log)

    async def load(
        self,
        ranges: Sequence[BucketRange],
        until: int | None = None,
        *,
        cached: bool = True,
        known: Mapping[tuple[str, int], Checkpoint] | None = None,
    ) -> Entities:
        """Read all entities of some buckets, as of the log's end or of a sequence.

        One consumer reads everything, from the oldest of the buckets' checkpoints on. Where all
        buckets are `known` as of some sequence, only what came after it is read.
        """
        if not ranges:
            return {}
        wanted = {
            (part.kind, bucket) for part in ranges for bucket in range(part.first, part.last + 1)
        }
        found = known or {}
        if not wanted <= found.keys():
            kinds = {part.kind for part in ranges}
            found = await self.checkpoints.read(kinds, before=until) if cached else {}
        bases = {key: found.get(key) for key in sorted(wanted)}
        entities = {
            entity.address: entity
            for base in bases.values()
            if base is not None
            for entity in base.entities
        }
        with collection_paused():
            await self._replay(ranges, bases, entities, until)
        for entity in entities.values():
            entity.settle()
        return await self._reread(entities, until)

    async def _replay(
        self,
        ranges: Sequence[BucketRange],
        bases: dict[tuple[str, int], Checkpoint | None],
        entities: Entities,
        until: int | None,
    ) -> None:
        held = [base.sequence if base else 0 for base in bases.values()]
        oldest, newest = min(held), max(held)
        async for batch in self.log.read(_filters(ranges), Start(oldest + 1), until):
            for message in batch:
                if message.sequence <= newest:
                    base = bases.get(bucket_in(message.subject))
                    if base is not None and message.sequence <= base.sequence:
                        continue
                self.replayed += 1
                self.fold(entities, message)

    async def _reread(self, entities: Entities, until: int | None) -> Entities:
        """Give entities whose checkpoint doesn't fit their history a second, full reading."""
        for address, entity in entities.items():
            if entity.unreadable is not None and entity.unreadable.where == "chain":
                entities[address] = await self.load_entity(address, until)
        return entities

    def fold(self, entities: Entities, message: Message) -> Entity | None:
        """Fold a message into the entity it belongs to, which is made where it is new."""
        try:
            address = entity_of(message.subject)
            entity = entities.get(address)
            if entity is None:
                entity = entities[address] = Entity.new(address)
        except (InvalidAddressError, UnknownKindError):
            return None  # under such a subject there is no entity that could be parked
        self._fold_into(entity, message)
        return entity

    def _fold_into(self, entity: Entity, message: Message) -> None:
        if message.sequence <= entity.sequence:
            return  # a checkpoint holds it already
        try:
            stored = stored_commit(message, self.log.identity)
        except UnreadableCommitError as error:
            text = f"commit {message.sequence}: {error}"
            entity.unreadable = entity.unreadable or EntityParked(
                error=text[:500], where="decode", sequence=message.sequence
            )
            entity.head = self.log.head_of(message)
        else:
            entity.fold(stored)

    async def load_entity(self, address: EntityAddress, until: int | None = None) -> Entity:
        """Read one entity's whole history."""
        entity = Entity.new(address)
        async for batch in self.log.read([state_subject(address)], until=until):
            for message in batch:
                self._fold_into(entity, message)
        entity.settle()
        return entity

    async def reload(self, entity: Entity) -> None:
        """Bring an entity to what the log says, throwing away what is in memory."""
        fresh = await self.load_entity(entity.address)
        for name in (
            "state",
            "head",
            "marks",
            "recent",
            "intents",
            "parked",
            "unreadable",
        ):
            setattr(entity, name, getattr(fresh, name))
        entity.stale = False


@contextmanager
def collection_paused() -> Iterator[None]:
    """Let no garbage be looked for: what is loaded stays, and looking at it again takes long."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _filters(ranges: Sequence[BucketRange]) -> list[str]:
    filters: list[str] = []
    for part in ranges:
        if part.last - part.first + 1 == BUCKETS:
            filters.append(state_filter(part.kind))
        else:
            buckets = range(part.first, part.last + 1)
            filters.extend(state_filter(part.kind, bucket) for bucket in buckets)
    return filters
