"""Fenced commits against bare nats-py that publishes the same bytes under the same fence."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from msgspec.structs import replace

from events.commit import Head, encode_commit
from events.ids import new_id
from events.subjects import state_subject
from standfast.bench.bare_host import FENCE
from standfast.bench.figure import Figure, Goal, Peer
from standfast.bench.ground import ground
from standfast.bench.measurement import in_turn
from standfast.bench.samples import commit_of, service, verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from standfast.bench.ground import Ground

    Write = Callable[[int, int], Awaitable[None]]

SEQUENTIAL_COMMITS = 600
INFLIGHT_ENTITIES = 100
INFLIGHT_COMMITS = 25
ROUNDS = 5
PEER = "nats-py publish with an expected last sequence"


@dataclass(slots=True)
class Appends:
    """Both ways to write to a ground; each entity is used once only."""

    ground: Ground
    numbers: count[int]

    async def write_ours(self, number: int, commits: int) -> None:
        """Append commits to one entity, one at a time."""
        made, head = commit_of(service(number), Head(), verdict(0), 0), Head()
        for _ in range(commits):
            head = await self.ground.log.append(replace(made, id=new_id(), previous=head))

    async def write_bare(self, number: int, commits: int) -> None:
        """Publish the same bytes to one subject, one at a time, fenced alike."""
        entity = service(number)
        subject, stream = state_subject(entity), self.ground.client.jetstream()
        payload = encode_commit(commit_of(entity, Head(1, b"\0" * 32), verdict(0), 0))
        last = 0
        for _ in range(commits):
            last = (await stream.publish(subject, payload, headers={FENCE: str(last)})).seq

    async def sequential(self, write: Write) -> int:
        """Write to one entity."""
        await write(next(self.numbers), SEQUENTIAL_COMMITS)
        return SEQUENTIAL_COMMITS

    async def inflight(self, write: Write) -> int:
        """Write to a hundred entities at once."""
        chosen = [next(self.numbers) for _ in range(INFLIGHT_ENTITIES)]
        await asyncio.gather(*[write(number, INFLIGHT_COMMITS) for number in chosen])
        return INFLIGHT_ENTITIES * INFLIGHT_COMMITS


async def measure_appends() -> list[Figure]:
    """Measure one at a time, and a hundred entities in flight, in turn with the peer."""
    async with ground() as under:
        appends = Appends(under, count())
        ours, bare = appends.write_ours, appends.write_bare
        one = await in_turn(
            lambda: appends.sequential(ours), lambda: appends.sequential(bare), rounds=ROUNDS
        )
        many = await in_turn(
            lambda: appends.inflight(ours), lambda: appends.inflight(bare), rounds=ROUNDS
        )
    return [
        _figure("append_sequential", one, 0.8),
        _figure("append_inflight", many, 0.7),
    ]


def _figure(name: str, rates: list[float], least: float) -> Figure:
    ours, bare = rates
    peer = Peer(name=PEER, value=bare)
    return Figure(name, ours, "commits/s", "higher", peer, Goal(least, "ratio"))
