"""When a host writes checkpoints: only as the one writer, and never ahead of what it has read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.runtime.ownership import PLACEMENT_ADDRESS
from events.placement import BucketsPlaced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.runtime.entity import Entity
    from actors.runtime.host import Host


async def write_checkpoints(host: Host) -> int:
    """Write a checkpoint of each bucket of a host, and give how many were written.

    The sequence is asked for before the question whether another writer is at work: what another
    one commits later than that has a higher sequence, and is read after the checkpoint.
    """
    sequence = await host.log.head_sequence()
    if not await _is_alone(host):
        return 0
    written = 0
    for (kind, bucket), entities in _by_bucket(host).items():
        base = _base(entities, sequence)
        if base:
            known = [entity for entity in entities if entity.head.sequence]
            await host.store.checkpoints.write(kind, bucket, base, known)
            written += 1
    return written


async def _is_alone(host: Host) -> bool:
    """Say whether this process is what the log says the host is, in the epoch it believes in."""
    placed = await host.log.last_commit(PLACEMENT_ADDRESS)
    events = [] if placed is None else [one.event for one in placed.envelopes()]
    epochs = [event.epoch for event in events if isinstance(event, BucketsPlaced)]
    if host.record is None or max(epochs, default=0) != host.ownership.epoch:
        return False
    own = await host.log.last_commit(host.record.entity.address)
    return own is not None and own.position.sequence == host.record.entity.head.sequence


def _base(entities: Sequence[Entity], sequence: int) -> int:
    """Give as of which sequence all of a bucket is in memory; 0 where that is not known.

    A commit that is on its way may be stored already, so one that drains counts as of its head.
    """
    if any(entity.stale or entity.unreadable is not None for entity in entities):
        return 0
    draining = [entity.head.sequence for entity in entities if entity.draining]
    return min([sequence, *draining])


def _by_bucket(host: Host) -> dict[tuple[str, int], list[Entity]]:
    buckets: dict[tuple[str, int], list[Entity]] = {
        (part.kind, bucket): []
        for part in host.ownership.ranges
        for bucket in range(part.first, part.last + 1)
    }
    for address, entity in host.mailroom.entities.items():
        bucket = buckets.get((address.kind, address.bucket))
        if bucket is not None and address not in host.ownership.isolated_here:
            bucket.append(entity)
    return buckets
