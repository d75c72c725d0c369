"""Checkpoints: the states of buckets as of a position. A cache: without it, only time is lost."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import msgpack

from actors.runtime.entity import Entity, Wished
from events.address import EntityAddress
from events.base import Position
from events.codec import is_known
from events.commit import Head
from events.entity import EntityParked
from events.ids import new_id
from events.reader import OrderedReader, Start
from events.subjects import CHECKPOINT_STREAM, bucket_in, checkpoint_subject

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from events.log import Log
    from events.reader import Message

FORMAT = 3
PART_BYTES_MAX = 512 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a bucket's checkpoint; the checkpoint is whole when all parts are there.

    `types` are the events that its writer may have folded into the states: who does not know all
    of them leaves it aside. `writing` tells apart what two hosts wrote as of one sequence.
    """

    kind: str
    bucket: int
    sequence: int
    part: int
    parts: int
    entities: tuple[tuple[Any, ...], ...]
    types: tuple[str, ...]
    writing: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A bucket's entities as of a sequence of the log."""

    sequence: int
    entities: tuple[Entity, ...]


def pack_entity(entity: Entity) -> tuple[Any, ...]:
    """Give what a checkpoint keeps of an entity."""
    parked = entity.parked
    return (
        str(entity.address),
        entity.decider.state_version,
        entity.packed_state(),
        entity.head.sequence,
        entity.head.digest,
        entity.marks,
        entity.recent,
        [(number, astuple(wished)) for number, wished in entity.intents.items()],
        None if parked is None else parked.model_dump(),
    )


def unpack_entity(packed: Sequence[Any]) -> Entity | None:
    """Give the entity again, or None where its state was of another version or shape."""
    try:
        entity = Entity.new(EntityAddress.parse(packed[0]))
        if packed[1] != entity.decider.state_version:
            return None
        return _unpack_into(entity, packed)
    except (ValueError, TypeError, LookupError):
        return None


def _unpack_into(entity: Entity, packed: Sequence[Any]) -> Entity:
    entity.state = entity.decider.states.validate_json(packed[2])
    entity.head = Head(packed[3], packed[4])
    entity.marks = dict(packed[5])
    entity.recent = dict(packed[6])
    entity.intents = {number: Wished(*wished) for number, wished in packed[7]}
    entity.parked = None if packed[8] is None else EntityParked.model_validate(packed[8])
    return entity


class Checkpoints:
    """The checkpoints of one log. Those of an earlier life count as far as it is part of this."""

    def __init__(self, log: Log) -> None:
        """Keep checkpoints beside this log."""
        self._log = log

    async def write(self, kind: str, bucket: int, sequence: int, entities: list[Entity]) -> None:
        """Write a bucket's checkpoint, in parts small enough for a message."""
        parts, types, writing = _split(list(map(pack_entity, entities))), _types(entities), new_id()
        for number, packed in enumerate(parts):
            part = Part(kind, bucket, sequence, number, len(parts), packed, types, writing)
            payload = self._encode(part)
            subject = checkpoint_subject(kind, bucket, number)
            await self._log.client.jetstream().publish(subject, payload)

    def _encode(self, part: Part) -> bytes:
        identity = self._log.identity
        fields = (
            FORMAT,
            identity.log_id,
            identity.generation,
            part.kind,
            part.bucket,
            part.sequence,
            part.part,
            part.parts,
            part.entities,
            part.types,
            part.writing,
        )
        return bytes(msgpack.packb(fields))

    def _decode(self, payload: bytes) -> Part | None:
        try:
            fields = msgpack.unpackb(payload, strict_map_key=False)
            kind, bucket, sequence, part, parts, entities, types, writing = fields[3:11]
            position = Position(fields[1], fields[2], sequence)
            if fields[0] != FORMAT or self._log.identity.place_of(position) is None:
                return None
            if not all(map(is_known, types)):
                return None
            return Part(kind, bucket, sequence, part, parts, tuple(entities), tuple(types), writing)
        except (ValueError, TypeError, LookupError, msgpack.UnpackException):
            return None  # a cache: what can't be read is not there

    async def read(
        self, kinds: Iterable[str], before: int | None = None
    ) -> dict[tuple[str, int], Checkpoint]:
        """Read the newest whole checkpoint of each bucket of the kinds.

        `before` takes only those as of at most that sequence of the log.
        """
        filters = [f"sfk.{kind}.>" for kind in kinds]
        if before is None:
            newest = await self._read(filters, Start(newest_only=True))
            if all(newest.values()):
                return _whole(newest)
        return _whole(await self._read(filters, Start(), before))

    async def _read(
        self, filters: Sequence[str], start: Start, before: int | None = None
    ) -> dict[tuple[str, int], Checkpoint | None]:
        """Read the newest whole checkpoint of each bucket that has parts at all."""
        found: dict[tuple[str, int], list[Part]] = {}
        reader = OrderedReader(self._log.client, CHECKPOINT_STREAM, filters, start)
        try:
            waiting = await reader.open()
            async for batch in _until_read(reader, waiting):
                for message in batch:
                    parts = found.setdefault(bucket_in(message.subject), [])
                    part = self._decode(message.payload)
                    if part and (before is None or part.sequence <= before):
                        parts.append(part)
        finally:
            await reader.close()
        return {bucket: _newest_whole(parts) for bucket, parts in found.items()}


async def _until_read(reader: OrderedReader, waiting: int) -> AsyncIterator[list[Message]]:
    """Give what waited to be read when a reader was opened."""
    if waiting:
        async for batch in reader.batches():
            yield batch
            if batch[-1].pending == 0:
                return


def _whole(
    found: Mapping[tuple[str, int], Checkpoint | None],
) -> dict[tuple[str, int], Checkpoint]:
    return {bucket: checkpoint for bucket, checkpoint in found.items() if checkpoint}


def _newest_whole(parts: Sequence[Part]) -> Checkpoint | None:
    """Give the newest checkpoint of which all parts are there, if its states can be read."""
    written: dict[tuple[int, str], dict[int, Part]] = {}
    for part in parts:
        written.setdefault((part.sequence, part.writing), {})[part.part] = part
    for (sequence, _), held in sorted(written.items(), reverse=True):
        if len(held) == next(iter(held.values())).parts:
            return _unpack(sequence, held)
    return None


def _unpack(sequence: int, parts: dict[int, Part]) -> Checkpoint | None:
    entities = [unpack_entity(packed) for part in parts.values() for packed in part.entities]
    if None in entities:
        return None
    return Checkpoint(sequence, tuple(entity for entity in entities if entity))


def _types(entities: Iterable[Entity]) -> tuple[str, ...]:
    """Give the types of all events that this build folds into the states of entities."""
    deciders = {id(entity.decider): entity.decider for entity in entities}
    return tuple(sorted({event.type for one in deciders.values() for event in one.events}))


def _split(packed: list[tuple[Any, ...]]) -> list[tuple[tuple[Any, ...], ...]]:
    parts: list[list[tuple[Any, ...]]] = [[]]
    size = 0
    for entry in packed:
        weight = len(entry[2]) + 1024
        if parts[-1] and size + weight > PART_BYTES_MAX:
            parts.append([])
            size = 0
        parts[-1].append(entry)
        size += weight
    return [tuple(part) for part in parts]
