"""What waits in great number comes by an own connection; whatever ends it, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import pytest

from events import reader
from events.bulk import BulkConnection, BulkUnavailableError
from events.reader import OrderedReader, Start
from events.service import ServiceProbeRequested
from events.subjects import STATE_STREAM
from tests.history import Recorder
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from events.log import Log

WAITING = 60
LARGE = 40_000
"""Characters: so many that what waits does not fit into what the network holds."""


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a few be a great number."""
    monkeypatch.setattr(reader, "BULK_MESSAGES", 20)


async def append(log: Log, count: int, characters: int = 10) -> None:
    recorder = Recorder(log)
    for _ in range(count):
        await recorder.append("service/a", ServiceProbeRequested(reason="x" * characters))


@contextlib.asynccontextmanager
async def opened(client: Any, start: int = 1) -> AsyncIterator[OrderedReader]:
    ordered = OrderedReader(client, STATE_STREAM, ["sf.>"], Start(start))
    try:
        await ordered.open()
        yield ordered
    finally:
        await ordered.close()


async def read_on(ordered: OrderedReader, seen: list[int], last: int) -> None:
    async for batch in ordered.batches():
        seen.extend(message.sequence for message in batch)
        if seen[-1] >= last:
            return


async def test_many_come_by_an_own_connection_and_few_by_the_ordinary_one(log: Log) -> None:
    await append(log, WAITING)
    for start, is_bulk in ((1, True), (WAITING - 3, False)):
        seen: list[int] = []
        async with opened(log.client, start) as ordered:
            assert (ordered._bulk is not None) is is_bulk
            await read_on(ordered, seen, WAITING)
        assert seen == list(range(start, WAITING + 1))
    assert await log.client.jsm().consumers_info(STATE_STREAM) == []


async def test_what_comes_live_comes_by_the_ordinary_connection(log: Log) -> None:
    await append(log, WAITING)
    seen: list[int] = []
    async with opened(log.client) as ordered:
        reading = asyncio.create_task(read_on(ordered, seen, WAITING + 1))
        await until(lambda: len(seen) == WAITING and ordered._bulk is None)
        recorder = Recorder(log)
        await recorder.append("service/b", ServiceProbeRequested(reason="live"))
        await reading
        assert len(await log.client.jsm().consumers_info(STATE_STREAM)) == 1
    assert seen == list(range(1, WAITING + 2))


async def test_an_own_connection_that_breaks_is_replaced_without_a_gap_or_a_double(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "ARRIVED_MAX", 5)
    await append(log, WAITING, LARGE)
    seen: list[int] = []
    async with opened(log.client) as ordered:
        first = ordered._bulk
        await until(lambda: ordered._arrived)
        assert first is not None
        assert first._transport is not None
        first._transport.abort()
        await read_on(ordered, seen, WAITING)
        assert ordered._bulk is not first
    assert seen == list(range(1, WAITING + 1))


async def test_a_slow_reader_holds_the_server_back(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "ARRIVED_MAX", 5)
    await append(log, WAITING, LARGE)
    seen: list[int] = []
    async with opened(log.client) as ordered:
        bulk = ordered._bulk
        assert bulk is not None
        transport = bulk._transport
        assert transport is not None
        await until(lambda: not transport.is_reading())
        assert 5 <= len(ordered._arrived) < WAITING
        await read_on(ordered, seen, WAITING)
    assert seen == list(range(1, WAITING + 1))


@pytest.mark.parametrize(
    "known",
    [
        {"connected_url": None},
        {"connected_url": urlparse("tls://127.0.0.1:4222")},
        {"connected_url": urlparse("nats://somebody@127.0.0.1:4222")},
        {"options": {"token": "wrong"}},
    ],
)
async def test_where_it_is_not_that_simple_the_ordinary_connection_reads(
    log: Log, known: dict[str, Any]
) -> None:
    await append(log, WAITING)
    client = Disguised(log.client, known)
    with pytest.raises(BulkUnavailableError):
        await BulkConnection.open(client, "_INBOX.x", lambda _: None, lambda: None)  # type: ignore[arg-type]
    seen: list[int] = []
    async with opened(client) as ordered:
        assert ordered._bulk is None
        await read_on(ordered, seen, WAITING)
    assert seen == list(range(1, WAITING + 1))


class Disguised(SimpleNamespace):
    """A client of which something else is known."""

    def __init__(self, client: Any, known: dict[str, Any]) -> None:
        super().__init__(**known)
        self.__dict__["behind"] = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["behind"], name)


WIRE = (
    b'INFO {"server_name":"x"}\r\nPING\r\n'
    b"MSG sf.service.00.a 1 $JS.ACK.1 5\r\nhello\r\n"
    b"HMSG sf.service.00.b 1 $JS.ACK.2 23 28\r\nNATS/1.0\r\nA: \xc3\xa4\r\nB:\r\n\r\nPING\r\r\n"
    b"PONG\r\n"
    b"MSG sf.service.00.c 1 0\r\n\r\n"
)
TAKEN = [
    ("sf.service.00.a", "$JS.ACK.1", b"hello", b""),
    ("sf.service.00.b", "$JS.ACK.2", b"PING\r", b"NATS/1.0\r\nA: \xc3\xa4\r\nB:\r\n\r\n"),
    ("sf.service.00.c", "", b"", b""),
]


async def test_messages_are_the_same_however_the_network_cuts_them() -> None:
    for cut in range(1, len(WIRE)):
        taken: list[tuple[str, str, bytes, bytes]] = []
        connection = BulkConnection({}, "inbox", taken.extend, lambda: None)
        for start in range(0, len(WIRE), cut):
            connection.data_received(WIRE[start : start + cut])
        assert taken == TAKEN, cut
        assert connection.subscribed.done()
