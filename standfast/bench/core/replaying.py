"""Replay into states, against a bare consumer and another library; and the projector."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import msgpack

from actors.runtime.store import Store
from events.placement import BucketRange
from projections.database import sqlite_url
from projections.runner import Runner
from standfast.bench.figure import Figure, Goal, Peer
from standfast.bench.ground import GroundError, ground
from standfast.bench.measurement import in_turn
from standfast.bench.samples import history, write_history

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.msg import Msg

    from standfast.bench.eventsourced import Book
    from standfast.bench.ground import Ground

SERVICES = 1_000
EVENTS_EACH = 40
ROUNDS = 5
PROJECTION_ROUNDS = 3
ROWS_A_TRANSACTION = 500
ROW_BYTES = 450
BARE = "ordered consumer with a callback, and msgpack"
LIBRARY = "eventsourcing on SQLite, the same events rebuilt into aggregates"
AT_LEAST_TWICE = Goal(2, "ratio")
PROJECTED = Goal(5_000)
ROWS = "sqlite3 alone, one row an event, 500 a transaction"


async def measure_replay() -> list[Figure]:
    """Measure over one log of 40,000 events, one event a commit."""
    async with ground(sync_always=False) as under:
        events = await write_history(under.log, SERVICES, EVENTS_EACH)
        ours, bare, library = await _replays(under, events)
        projected, rows = await _projections(under, events)
    return [
        _figure("replay", ours, Peer(name=BARE, value=bare), Goal(0.6, "ratio")),
        _figure("replay_vs_eventsourcing", ours, Peer(name=LIBRARY, value=library), AT_LEAST_TWICE),
        _figure("projection_events_per_second", projected, Peer(name=ROWS, value=rows), PROJECTED),
    ]


def _figure(name: str, value: float, peer: Peer, goal: Goal) -> Figure:
    return Figure(name, value, "events/s", "higher", peer, goal)


async def _replays(under: Ground, events: int) -> list[float]:
    with closing(_book(under.directory / "eventsourcing.db")) as book:
        book.write(history(EVENTS_EACH), SERVICES)

        async def rebuild() -> int:
            assert len(book.rebuild()) == SERVICES
            return events

        return await in_turn(
            lambda: _replay(under, events),
            lambda: _consume(under, events),
            rebuild,
            rounds=ROUNDS,
        )


def _book(path: Path) -> Book:
    try:
        from standfast.bench.eventsourced import Book  # noqa: PLC0415  (only the bench needs it)
    except ModuleNotFoundError as error:
        message = f"{error.name} is missing, a peer that is measured: it is in standfast[dev]"
        raise GroundError(message) from error
    return Book(path)


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


async def _projections(under: Ground, events: int) -> list[float]:
    return await in_turn(
        lambda: _project(under, events), lambda: _write(under, events), rounds=PROJECTION_ROUNDS
    )


async def _project(under: Ground, events: int) -> int:
    """Project the whole log into a new file."""
    path = under.directory / "projections.db"
    runner = Runner(under.log, sqlite_url(path))
    await runner.open()
    try:
        await runner.catch_up()
    finally:
        await runner.close()
    for file in under.directory.glob("projections.db*"):
        file.unlink()
    return events


async def _write(under: Ground, events: int) -> int:
    """Write a row of as many bytes for each event, synced alike."""
    payload = b"x" * ROW_BYTES
    with closing(sqlite3.connect(under.directory / "rows.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE row (sequence INTEGER PRIMARY KEY, payload BLOB)")
        for start in range(0, events, ROWS_A_TRANSACTION):
            numbers = range(start, min(events, start + ROWS_A_TRANSACTION))
            with connection:
                rows = [(number, payload) for number in numbers]
                connection.executemany("INSERT INTO row VALUES (?, ?)", rows)
    for file in under.directory.glob("rows.db*"):
        file.unlink()
    return events
