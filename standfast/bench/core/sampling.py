"""Telemetry: rows with labels go in, and are encoded, sent and acknowledged."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from events.subjects import telemetry_subject
from events.telemetry import SAMPLES_MAX, Row, Vantage, batch_of, encode_batch, labels_of
from events.telemetry_log import TelemetryWriter, WriterLimits
from standfast.bench.figure import Figure, Goal, Peer
from standfast.bench.ground import ground
from standfast.bench.measurement import in_turn
from standfast.bench.samples import BEGIN

if TYPE_CHECKING:
    from standfast.bench.ground import Ground

BATCHES = 1_000
SERIES = 250
WAITING_MAX = 100
ROUNDS = 3
PEER = "nats-py publish of the same bytes, made before"
VANTAGE = Vantage("bench", "local", "bench", "bench")


def rows() -> list[Row]:
    """Give a batch of samples of some series."""
    labels = [
        labels_of("probe_duration_seconds", service=f"bench-{number:05d}", check="tcp")
        for number in range(SERIES)
    ]
    return [
        Row(labels[number % SERIES], BEGIN + timedelta(milliseconds=number), number / 1000)
        for number in range(SAMPLES_MAX)
    ]


async def measure_telemetry() -> list[Figure]:
    """Measure from rows in memory to the last acknowledgement."""
    async with ground() as under:
        ours, bare = await in_turn(lambda: _write(under), lambda: _publish(under), rounds=ROUNDS)
    name, peer = "telemetry_samples_per_second", Peer(name=PEER, value=bare)
    return [Figure(name, ours, "samples/s", "higher", peer, Goal(300_000))]


async def _write(under: Ground) -> int:
    writer, batch = TelemetryWriter(under.client, VANTAGE), rows()
    for _ in range(BATCHES):
        writer.add(*batch)
        while writer.waiting_batches > WAITING_MAX:  # noqa: ASYNC110  (nobody is told)
            await asyncio.sleep(0)
    await writer.close(30.0)
    assert not writer.dropped_samples, f"{writer.dropped_samples} samples were dropped"
    return writer.sent_samples


async def _publish(under: Ground) -> int:
    """Publish encoded batches, as many in flight as the writer has."""
    subject, payload = telemetry_subject("bench", "bare"), encode_batch(batch_of(VANTAGE, rows()))
    stream, left = under.client.jetstream(), iter(range(BATCHES))

    async def work() -> None:
        for _ in left:
            await stream.publish(subject, payload)

    await asyncio.gather(*[work() for _ in range(WriterLimits().in_flight_max)])
    return BATCHES * SAMPLES_MAX
