"""Handing open intents to their executors, again and again until accepted or ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgpack
from nats.errors import Error as NatsError

from events.address import EntityAddress
from events.base import Position, fence_of, named_in
from events.effect import Intent
from events.subjects import executor_subject

if TYPE_CHECKING:
    from nats.aio.client import Client

    from actors.runtime.entity import Entity
    from events.identity import LogIdentity

Key = tuple[EntityAddress, int, bool]
"""An intent of an entity, and whether it is to stop."""

FORMAT = 1
ANSWER_SECONDS = 2.0
BACKOFF_SECONDS = 0.1
BACKOFF_SECONDS_MAX = 2.0


@dataclass(frozen=True, slots=True)
class Errand:
    """An intent on its way to its executor: whose, which commit fences it, whether to stop.

    `generation` is the life of the log in which that commit was made.
    """

    entity: EntityAddress
    intent: Intent
    sequence: int
    cause_id: str
    correlation_id: str
    cancelled: bool = False
    generation: int = 1

    @property
    def key(self) -> str:
        """Its name: the fence tells apart what is numbered alike, in whatever life of the log."""
        return named_in(self.generation, f"{self.entity}#{self.intent.number}@{self.sequence}")

    @property
    def fence(self) -> int:
        """What rises with every commit."""
        return fence_of(self.generation, self.sequence)

    def is_of(self, log: LogIdentity) -> bool:
        """Say whether its commit is part of the present life of a log."""
        return log.place_of(Position(log.log_id, self.generation, self.sequence)) is not None


def encode_errand(errand: Errand) -> bytes:
    """Give the bytes of an errand."""
    fields = (
        FORMAT,
        str(errand.entity),
        errand.intent.model_dump(),
        errand.sequence,
        errand.cause_id,
        errand.correlation_id,
        errand.cancelled,
        errand.generation,
    )
    return bytes(msgpack.packb(fields, datetime=True))


def decode_errand(payload: bytes) -> Errand:
    """Read the bytes of an errand. Raises `ValueError`."""
    fields = msgpack.unpackb(payload, timestamp=3)
    if fields[0] != FORMAT:
        message = f"an errand of format {fields[0]!r}; known here: {FORMAT}"
        raise ValueError(message)
    intent = Intent.model_validate(fields[2])
    return Errand(EntityAddress.parse(fields[1]), intent, *fields[3:])


@dataclass(slots=True)
class Handing:
    """Keeps one task for each open intent that its executor has not accepted yet."""

    client: Client
    log: LogIdentity
    _tasks: dict[Key, asyncio.Task[None]] = field(default_factory=dict)

    def offer(self, entity: Entity) -> None:
        """Hand over what the entity wants now, and drop what it no longer wants."""
        intents = entity.decider.intents(entity.state)
        if intents is None:
            return
        wanted = {
            (entity.address, intent.number, intent.number in intents.cancelled): intent
            for intent in intents.open
        }
        self._drop_all_but(entity.address, set(wanted))
        for key, intent in wanted.items():
            self._start(entity, intent, key)

    def forget(self, address: EntityAddress) -> None:
        """Stop handing over for an entity that is hosted elsewhere now."""
        self._drop_all_but(address, set())

    def stop(self) -> None:
        """Hand over nothing more; what is still open is handed over by the next host."""
        while self._tasks:
            self._tasks.popitem()[1].cancel()

    def _drop_all_but(self, address: EntityAddress, wanted: set[Key]) -> None:
        for key in [key for key in self._tasks if key[0] == address and key not in wanted]:
            self._tasks.pop(key).cancel()

    def _start(self, entity: Entity, intent: Intent, key: Key) -> None:
        if key in self._tasks:
            return
        wished = entity.intents[intent.number]
        errand = Errand(
            entity=entity.address,
            intent=intent,
            sequence=wished.sequence,
            cause_id=wished.event_id,
            correlation_id=wished.correlation_id,
            cancelled=key[2],
            generation=self.log.position(wished.sequence).generation,
        )
        self._tasks[key] = asyncio.create_task(self._hand(errand))

    async def _hand(self, errand: Errand) -> None:
        subject, payload = executor_subject(errand.intent.executor), encode_errand(errand)
        delay = BACKOFF_SECONDS
        while True:
            try:
                await self.client.request(subject, payload, ANSWER_SECONDS)
            except (TimeoutError, NatsError, OSError):
                await asyncio.sleep(delay)
                delay = min(BACKOFF_SECONDS_MAX, delay * 2)
            else:
                return
