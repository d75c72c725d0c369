"""How buckets move from host to host: the new one rehearses, the old one hands over, in this order.

A rehearsal reads what is to be moved while the old owner still serves it: whatever can't be read
shows before anything has moved, and afterwards only the tail is left to read. Handing over is
leaving before the placement says so: nothing of the old owner is under way when the new one starts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgpack
from nats.errors import Error as NatsError

from actors.runtime.checkpoints import Checkpoint
from events.address import EntityAddress
from events.placement import BucketRange
from events.subjects import control_subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nats.aio.client import Client

    from actors.runtime.entity import Entity
    from actors.runtime.store import Store

REHEARSE, HAND_OVER = "rehearse", "hand-over"
UNREADABLE_MAX = 1_000

Bases = dict[tuple[str, int], Checkpoint]


@dataclass(frozen=True, slots=True)
class Share:
    """What moves at once: ranges of buckets, and entities that have a host of their own."""

    ranges: tuple[BucketRange, ...] = ()
    isolated: frozenset[EntityAddress] = frozenset()

    def encode(self) -> bytes:
        """Give the bytes of a share."""
        ranges = [(part.kind, part.first, part.last) for part in self.ranges]
        return bytes(msgpack.packb((ranges, sorted(map(str, self.isolated)))))

    @classmethod
    def decode(cls, payload: bytes) -> Share:
        """Read the bytes of a share."""
        ranges, isolated = msgpack.unpackb(payload)
        return cls(
            tuple(BucketRange(kind=kind, first=first, last=last) for kind, first, last in ranges),
            frozenset(map(EntityAddress.parse, isolated)),
        )


@dataclass(slots=True)
class Rehearsals:
    """Buckets that were read before they are owned; each is used once, as a checkpoint is."""

    store: Store
    _bases: Bases = field(default_factory=dict)

    async def rehearse(self, share: Share) -> dict[str, str]:
        """Read a share; gives the entities that can't be read, and why."""
        self._bases = {}
        sequence = await self.store.log.head_sequence()
        entities = await self.store.load(share.ranges)
        alone = [await self.store.load_entity(address) for address in sorted(share.isolated)]
        self._bases = _by_bucket(share.ranges, sequence, entities.values())
        found = (*entities.values(), *alone)
        unreadable = {str(one.address): one.unreadable.error for one in found if one.unreadable}
        return dict(sorted(unreadable.items())[:UNREADABLE_MAX])

    def take(self) -> Bases:
        """Give what was rehearsed, and forget it."""
        bases, self._bases = self._bases, {}
        return bases


def _by_bucket(
    ranges: Iterable[BucketRange], sequence: int, entities: Iterable[Entity]
) -> dict[tuple[str, int], Checkpoint]:
    found: dict[tuple[str, int], list[Entity]] = {
        (part.kind, bucket): [] for part in ranges for bucket in range(part.first, part.last + 1)
    }
    for entity in entities:
        found[entity.address.kind, entity.address.bucket].append(entity)
    return {key: Checkpoint(sequence, tuple(some)) for key, some in found.items()}


class NotMovedError(Exception):
    """A host did not do its part in a move; the message says which and why."""


async def ask_to(
    client: Client, host: str, verb: str, share: Share, timeout_seconds: float
) -> dict[str, Any]:
    """Ask a host to rehearse or to hand over. Raises `NotMovedError` where it does not."""
    try:
        reply = await client.request(control_subject(host, verb), share.encode(), timeout_seconds)
    except (TimeoutError, NatsError, OSError) as error:
        message = f"{host} did not answer when it was asked to {verb} ({type(error).__name__})"
        raise NotMovedError(message) from error
    answer: dict[str, Any] = msgpack.unpackb(reply.data)
    if "error" in answer:
        message = f"{host} could not {verb}: {answer['error']}"
        raise NotMovedError(message)
    return answer
