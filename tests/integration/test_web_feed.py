"""The stream of changes: bounded, resumable, and honest where it cannot resume."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from events.base import Position
from projections.catalogue import PROJECTIONS
from projections.database import open_writer, sqlite_url
from projections.latency import LatencyWindow
from projections.reading import NotReadyError, Reading, services
from projections.store import Store
from standfast.web.feed import QUEUE_MAX, Feed
from tests.fixtures.web import eventually
from tests.history import Recorder
from tests.memory_log import MemoryLog
from tests.story import become_healthy, steady

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nats.aio.client import Client


class Source:
    """A log in memory, its projections, and a feed over them."""

    def __init__(self, folder: Path) -> None:
        url = sqlite_url(folder / "projections.db")
        self.log = MemoryLog()
        self.recorder = Recorder(self.log)
        self.store = Store(open_writer(url), PROJECTIONS)
        self.store.create()
        self.reading = Reading(url)
        self.feed = Feed(self.reading, LatencyWindow(), clients_max=2)

    def project(self, life: int = 1) -> None:
        """Bring the projections to the log's end."""
        end = Position("memory", life, len(self.log.stored))
        self.store.apply(self.log.commits(), end)

    def close(self) -> None:
        self.reading.close()
        self.store.engine.dispose()


async def reached(source: Source, sequence: int) -> bool:
    return source.feed.sequence >= sequence


@pytest.fixture
async def source(tmp_path: Path, client: Client) -> AsyncIterator[Source]:
    source = Source(tmp_path)
    await steady(source.recorder)
    source.project()
    running = asyncio.create_task(source.feed.run(client))
    await eventually(lambda: reached(source, 1))
    yield source
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    source.close()


async def hear(messages: AsyncIterator[bytes], name: str) -> dict[str, Any]:
    """Give the data of the next event of a name."""
    async with asyncio.timeout(10):
        async for content in messages:
            lines = dict(
                line.split(": ", 1) for line in content.decode().splitlines() if ": " in line
            )
            if lines.get("event") == name:
                data: dict[str, Any] = json.loads(lines["data"])
                return data
    raise AssertionError(f"the stream ended without {name}")


async def test_a_listener_hears_what_changes_from_now(source: Source) -> None:
    messages = source.feed.listen(None)
    assert messages is not None
    assert (await hear(messages, "hello"))["sequence"] == 6
    await become_healthy(source.recorder, "demo-app")
    source.project()
    change = await hear(messages, "change")
    assert change["sequence"] == 7
    assert change["changed"]["services"] == ["demo-app"]
    assert change["events"][0]["text"] == "demo-app is healthy"


async def test_a_listener_that_comes_back_hears_what_it_missed(source: Source) -> None:
    messages = source.feed.listen(4)
    assert messages is not None
    change = await hear(messages, "change")
    assert [event["sequence"] for event in change["events"]] == [5, 6]


async def test_a_listener_may_know_more_than_the_feed_has_looked_at(source: Source) -> None:
    feed = Feed(source.reading, LatencyWindow())
    assert feed.sequence == 0
    messages = feed.listen(4)
    assert messages is not None
    change = await hear(messages, "change")
    assert [event["sequence"] for event in change["events"]] == [5, 6]
    assert change["sequence"] == 6


async def test_one_from_another_life_must_look_anew(source: Source) -> None:
    messages = source.feed.listen(99)
    assert messages is not None
    assert "not there" in (await hear(messages, "reset"))["reason"]


async def test_one_that_missed_too_much_must_look_anew(source: Source) -> None:
    for _ in range(1_000):
        await become_healthy(source.recorder, "demo-app")
    source.project()
    await eventually(lambda: reached(source, 1_006))
    messages = source.feed.listen(1)
    assert messages is not None
    assert "too much" in (await hear(messages, "reset"))["reason"]


async def test_a_new_log_makes_all_look_anew(source: Source) -> None:
    messages = source.feed.listen(None)
    assert messages is not None
    await hear(messages, "hello")
    source.log.stored.clear()
    source.recorder.heads.clear()
    await become_healthy(source.recorder, "demo-app")
    with source.store.engine.begin() as connection:
        for table in reversed(source.store.tables):
            connection.execute(table.delete())
        connection.exec_driver_sql("DELETE FROM projection_positions")
    source.store.forget()
    source.project(2)
    assert "another" in (await hear(messages, "reset"))["reason"]
    assert source.feed.sequence == 1


async def test_listeners_are_bounded_and_leave_their_place(source: Source) -> None:
    first, second = source.feed.listen(None), source.feed.listen(None)
    assert first is not None
    assert second is not None
    await anext(first)
    await anext(second)
    assert source.feed.listen(None) is None
    await first.aclose()  # type: ignore[attr-defined]  # a generator
    assert source.feed.listen(None) is not None


async def test_a_slow_listener_is_ended_and_looks_anew(source: Source) -> None:
    messages = source.feed.listen(None)
    assert messages is not None
    await hear(messages, "hello")
    for number in range(QUEUE_MAX + 2):
        source.feed._broadcast(f"event: x\ndata: {number}\n\n".encode())
    assert (await hear(messages, "reset"))["reason"] == "look anew"
    with pytest.raises(StopAsyncIteration):
        await anext(messages)


def test_what_is_not_built_yet_is_said_so(tmp_path: Path) -> None:
    reading = Reading(sqlite_url(tmp_path / "none.db"))
    with pytest.raises(NotReadyError, match="no such table"), reading.moment() as connection:
        services(connection)
    reading.close()
