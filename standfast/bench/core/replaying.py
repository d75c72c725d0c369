"""Replay into states against a bare consumer; and the projector, over the same history."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgpack

from actors.runtime.store import Store
from events.placement import BucketRange
from projections.database import sqlite_url
from projections.runner import Runner
from standfast.bench.figure import Figure, Goal, Peer
from standfast.bench.ground import ground
from standfast.bench.measurement import paired, rate
from standfast.bench.samples import write_history

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from standfast.bench.ground import Ground

SERVICES = 200
EVENTS_EACH = 100
ROUNDS = 5
PEER = "ordered consumer with a callback, and msgpack"


async def measure_replay() -> list[Figure]:
    """Measure over one log of 20,000 events, one event a commit."""
    async with ground(sync_always=False) as under:
        events = await write_history(under.log, SERVICES, EVENTS_EACH)
        ours, bare = await paired(
            lambda: _replay(under, events), lambda: _consume(under, events), ROUNDS
        )
        projected = await rate(lambda: _project(under, events))
    peer = Peer(name=PEER, value=bare)
    return [
        Figure("replay", ours, "events/s", "higher", peer, Goal(0.6, "ratio")),
        Figure("projection_events_per_second", projected, "events/s", "higher", goal=Goal(5_000)),
    ]


async def _replay(under: Ground, events: int) -> int:
    store = Store(under.log)
    entities = await store.load([BucketRange(kind="service")], cached=False)
    assert len(entities) == SERVICES, f"{len(entities)} of {SERVICES} services"
    assert all(entity.quarantine is None for entity in entities.values())
    return events


async def _consume(under: Ground, events: int) -> int:
    """Read the same messages as fast as the client can, and unpack each."""
    done, seen = asyncio.Event(), 0

    async def receive(message: Msg) -> None:
        nonlocal seen
        msgpack.unpackb(message.data, timestamp=3)
        seen += 1
        if seen == events:
            done.set()

    subscription = await under.client.jetstream().subscribe(
        "sf.service.>", cb=receive, ordered_consumer=True
    )
    await done.wait()
    info = await subscription.consumer_info()
    await subscription.unsubscribe()
    await under.client.jsm().delete_consumer(info.stream_name, info.name)
    return events


async def _project(under: Ground, events: int) -> int:
    runner = Runner(under.log, sqlite_url(under.directory / "projections.db"))
    await runner.open()
    try:
        await runner.catch_up()
    finally:
        await runner.close()
    return events
