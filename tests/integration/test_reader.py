"""Reading the log by bucket, entity, sequence and time, and live, without a gap or a double."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from events import reader
from events.address import EntityAddress
from events.log import Log
from events.reader import OrderedReader, Pace, Start
from events.server import connect
from events.service import ServiceProbeRequested
from events.streams import StreamLimits, ensure_streams
from events.subjects import STATE_STREAM, state_filter, state_subject
from tests.history import Recorder
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from events.bulk import Delivery
    from events.reader import Message
    from tests.fixtures.nats import NatsServer

PROBED = ServiceProbeRequested(reason="test")


NEVER, ALWAYS = 10**9, 1
WAYS = {"ordinary": (NEVER, 0), "bulk": (ALWAYS, 0), "unfiltered": (ALWAYS, 10**9)}


@pytest.fixture(params=WAYS, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have what waits read by the ordinary connection, by one of its own, and without filters."""
    bulk, share = WAYS[request.param]
    monkeypatch.setattr(reader, "BULK_MESSAGES", bulk)
    monkeypatch.setattr(reader, "UNFILTERED_SHARE", share)
    return str(request.param)


async def read(
    log: Log, *filters: str, start: Start | None = None, end: int | None = None
) -> list[Message]:
    return [message async for batch in log.read(filters, start, end) for message in batch]


async def sequences(
    log: Log, *filters: str, start: Start | None = None, end: int | None = None
) -> list[int]:
    return [message.sequence for message in await read(log, *filters, start=start, end=end)]


@pytest.fixture
async def recorder(log: Log) -> Recorder:
    """Give a log with nine commits of three services and an alert: 1..3, 4..6, 7..9 in turns."""
    recorder = Recorder(log)
    for _ in range(3):
        for address in ("service/a", "service/b", "alert/a"):
            await recorder.append(address, PROBED)
    return recorder


@pytest.mark.usefixtures("recorder")
async def test_all_is_read_in_order(log: Log) -> None:
    assert await sequences(log, "sf.>") == list(range(1, 10))


@pytest.mark.usefixtures("recorder")
async def test_a_kind_a_bucket_and_an_entity_are_read(log: Log) -> None:
    address = EntityAddress("service", "a")
    assert await sequences(log, state_filter("alert")) == [3, 6, 9]
    assert await sequences(log, state_filter("service", address.bucket)) == [1, 4, 7]
    assert await sequences(log, state_filter("service", address.bucket ^ 1)) == []
    assert await sequences(log, state_subject(address)) == [1, 4, 7]
    assert await sequences(log, state_subject(address), state_filter("alert")) == [1, 3, 4, 6, 7, 9]


@pytest.mark.usefixtures("recorder")
async def test_a_part_is_read_by_its_sequences(log: Log) -> None:
    assert await sequences(log, "sf.>", start=Start(4)) == [4, 5, 6, 7, 8, 9]
    assert await sequences(log, "sf.>", end=4) == [1, 2, 3, 4]
    assert await sequences(log, state_filter("alert"), start=Start(4), end=8) == [6]
    assert await sequences(log, "sf.>", start=Start(10)) == []


async def test_a_part_is_read_by_its_time(log: Log, recorder: Recorder) -> None:
    moment = (await read(log, "sf.>"))[-1].stored
    await until(lambda: asyncio.get_running_loop().time() > 0)
    await recorder.append("service/a", PROBED)
    late = await read(log, "sf.>", start=Start(time=moment))
    assert [message.sequence for message in late] == [9, 10]


async def test_an_empty_log_and_an_unknown_entity_give_nothing(log: Log) -> None:
    assert await sequences(log, "sf.>") == []
    assert [one async for one in log.read_entity(EntityAddress("service", "nobody"))] == []
    assert await log.last_commit(EntityAddress("service", "nobody")) is None
    assert await log.message(1) is None


async def test_an_entity_is_read_after_a_sequence(log: Log, recorder: Recorder) -> None:
    del recorder
    stored = [one async for one in log.read_entity(EntityAddress("service", "b"), after=2)]
    assert [one.position.sequence for one in stored] == [5, 8]


async def test_readers_delete_their_consumers(log: Log, recorder: Recorder) -> None:
    await sequences(log, "sf.>")
    following = Follower(log)
    await following.until(9)
    await recorder.append("service/a", PROBED)
    await following.until(10)
    assert len(await log.client.jsm().consumers_info(STATE_STREAM)) == 1
    await following.close()
    assert await log.client.jsm().consumers_info(STATE_STREAM) == []


@dataclass(slots=True)
class Follower:
    """Follows a log and keeps the sequences it saw."""

    log: Log
    start: Start = field(default_factory=Start)
    seen: list[int] = field(default_factory=list)
    slow_seconds: float = 0.0
    filters: tuple[str, ...] = ("sf.>",)
    _task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async with contextlib.aclosing(self.log.follow(self.filters, self.start)) as batches:
            async for batch in batches:
                self.seen.extend(message.sequence for message in batch)
                await asyncio.sleep(self.slow_seconds)

    async def until(self, sequence: int, timeout_seconds: float = 30.0) -> None:
        await until(lambda: self.seen and self.seen[-1] >= sequence, timeout_seconds)

    async def close(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])


async def test_what_is_appended_is_followed_live(log: Log, recorder: Recorder) -> None:
    following = Follower(log, Start(8))
    await following.until(9)
    for _ in range(20):
        await recorder.append("service/b", PROBED)
    await following.until(29)
    await following.close()
    assert following.seen == list(range(8, 30))


@pytest.fixture
async def own_log(own_server: NatsServer) -> AsyncIterator[Log]:
    """Give an empty log on a server of its own."""
    client = await connect(own_server.address, "test")
    await ensure_streams(client, StreamLimits())
    yield await Log.open(client)
    await client.close()


async def test_following_goes_on_over_kills_of_the_server_without_a_gap_or_a_double(
    own_server: NatsServer, own_log: Log
) -> None:
    recorder, following = Recorder(own_log), Follower(own_log)
    for expected in (100, 200, 300):
        for _ in range(100):
            await recorder.append("service/a", PROBED)
        if expected < 300:
            own_server.kill()
            own_server.start()
    await following.until(300)
    await following.close()
    assert following.seen == list(range(1, 301))


async def test_a_slow_reader_misses_nothing(
    log: Log, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "ARRIVED_MAX", 10)
    following = Follower(log, slow_seconds=0.005)
    await asyncio.gather(
        *[_append_many(log, f"service/s{number}", 100) for number in range(5)],
    )
    await following.until(509)
    await following.close()
    assert following.seen == list(range(1, 510))
    del recorder


async def _append_many(log: Log, address: str, count: int) -> None:
    recorder = Recorder(log)
    for _ in range(count):
        await recorder.append(address, PROBED)


async def test_a_consumer_that_is_lost_is_replaced(log: Log, recorder: Recorder) -> None:
    following = Follower(Log(log.client, log.identity, Pace(heartbeat_seconds=0.2, looks=2)))
    await following.until(9)
    manager = log.client.jsm()
    for consumer in await manager.consumers_info(STATE_STREAM):
        await manager.delete_consumer(STATE_STREAM, consumer.name)
    await recorder.append("service/a", PROBED)
    await following.until(10)
    await following.close()
    assert following.seen == list(range(1, 11))


async def test_what_was_sent_last_must_still_be_there_when_it_is_read_on(
    log: Log, recorder: Recorder, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    async def check_end(_manager: object, _stream: str, last: Message | None) -> None:
        held.append(last.sequence if last else 0)

    monkeypatch.setattr(reader, "check_end", check_end)
    await recorder.append("service/a", PROBED)
    alerts = OrderedReader(log.client, STATE_STREAM, [state_filter("alert")], likely=10)
    await alerts.open()
    seen: list[int] = []

    async def take() -> None:
        async for batch in alerts.batches():
            seen.extend(message.sequence for message in batch)

    taking = asyncio.create_task(take())
    await until(lambda: seen == [3, 6, 9] and (held or way == "ordinary"))
    await recorder.append("alert/a", PROBED)
    await until(lambda: seen == [3, 6, 9, 11])
    await alerts.close()
    await taking
    assert held == {"ordinary": [], "bulk": [9], "unfiltered": [10]}[way]


async def test_a_missed_message_is_read_again(log: Log, recorder: Recorder) -> None:
    ordered = OrderedReader(log.client, STATE_STREAM, ["sf.>"])
    add, missed = ordered._add, list[str]()

    def lose_one(deliveries: Sequence[Delivery]) -> None:
        kept = [one for one in deliveries if missed or one[1].split(".")[-4] != "5"]
        missed.extend(one[1] for one in deliveries if one not in kept)
        add(kept)

    ordered._add = lose_one  # type: ignore[method-assign]
    await ordered.open()
    seen: list[int] = []
    async with contextlib.aclosing(ordered.batches()) as batches:  # type: ignore[type-var]
        async for batch in batches:
            seen.extend(message.sequence for message in batch)
            if seen[-1] == 9:
                break
    await ordered.close()
    assert missed
    assert seen == list(range(1, 10))
    del recorder
