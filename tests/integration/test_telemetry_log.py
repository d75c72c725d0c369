"""Telemetry is written in batches nobody waits for, and what is lost is counted."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime as moment
from typing import TYPE_CHECKING

from events.telemetry import Row, labels_of
from events.telemetry_log import TelemetryWriter, WriterLimits
from tests.fixtures.nats import connect_to, fresh_log
from tests.fixtures.service_host import vantage
from tests.waiting import until
from tests.watching import (
    Ledger,
    running,
)

if TYPE_CHECKING:
    from datetime import datetime

    from events.log import Log
    from tests.fixtures.nats import NatsServer


async def test_what_waits_too_long_for_the_log_is_dropped_oldest_first_and_counted(
    own_server: NatsServer,
) -> None:
    client = await connect_to(own_server)
    log = await fresh_log(client)
    limits = WriterLimits(waiting_batches_max=5, in_flight_max=1)
    writer, ledger = TelemetryWriter(client, vantage("w"), "probe", limits), Ledger()
    own_server.pause()
    for number in range(10):
        writer.add(row(number))
        writer.flush()
    own_server.resume()
    async with running(ledger.follow(log.client)):
        await until(lambda: writer.waiting_batches == 0, 20)
        await until(lambda: len(ledger.batches) == writer.sent_samples)
    values = [int(batch.values[0]) for batch in ledger.batches]
    assert writer.sent_samples + writer.dropped_samples == 10
    assert values[-5:] == [5, 6, 7, 8, 9]
    await writer.close()
    await client.close()


def row(value: float, text: str = "") -> Row:
    details = {"reason": text} if text else None
    return Row(labels_of("m", text="t"), now(), value, details)


def now() -> datetime:
    return moment.now(UTC)


async def test_a_batch_is_full_at_five_hundred_or_old_after_a_quarter_of_a_second(
    log: Log,
) -> None:
    writer, ledger = TelemetryWriter(log.client, vantage("w")), Ledger()
    async with running(ledger.follow(log.client)):
        for number in range(1100):
            writer.add(row(number))
        await until(lambda: len(ledger.batches) == 2)
        assert [len(batch) for batch in ledger.batches] == [500, 500]
        await until(lambda: len(ledger.batches) == 3)
    assert len(ledger.batches[2]) == 100
    await writer.close()


async def test_a_batch_over_the_message_limit_is_halved_and_a_hopeless_row_is_dropped(
    log: Log,
) -> None:
    writer, ledger = TelemetryWriter(log.client, vantage("w")), Ledger()
    async with running(ledger.follow(log.client)):
        for number in range(20):
            writer.add(row(number, "x" * 100_000))
        writer.add(row(20, "x" * 2_000_000))
        writer.flush()
        await until(lambda: sum(len(batch) for batch in ledger.batches) == 20)
    assert writer.dropped_samples == 1
    await writer.close()


async def test_a_message_that_is_no_telemetry_is_skipped_and_counted(log: Log) -> None:
    writer, ledger = TelemetryWriter(log.client, vantage("w")), Ledger()
    async with running(ledger.follow(log.client)):
        await log.client.jetstream().publish("sft.probe.stranger", b"\x93nonsense")
        writer.add(row(1))
        writer.flush()
        await until(lambda: ledger.batches)
        assert ledger.reader is not None
        assert ledger.reader.unreadable_messages == 1
    await writer.close()


async def test_a_batch_that_is_sent_again_is_stored_once(own_server: NatsServer) -> None:
    client = await connect_to(own_server)
    log = await fresh_log(client)
    limits = WriterLimits(acknowledge_seconds=0.1, retry_seconds=0.05)
    writer, ledger = TelemetryWriter(client, vantage("w"), limits=limits), Ledger()
    own_server.pause()
    before = client.stats["out_msgs"]
    writer.add(row(1))
    writer.flush()
    await until(lambda: client.stats["out_msgs"] >= before + 3)
    own_server.resume()
    async with running(ledger.follow(log.client)):
        await until(lambda: writer.waiting_batches == 0)
        writer.add(row(2))
        writer.flush()
        await until(lambda: ledger.batches and ledger.batches[-1].values[0] == 2)
    assert [batch.values[0] for batch in ledger.batches] == [1, 2]
    assert (writer.sent_samples, writer.dropped_samples) == (2, 0)
    await writer.close()
    await client.close()
