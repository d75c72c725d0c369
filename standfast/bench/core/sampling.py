"""Telemetry: rows with labels go in, and are encoded, sent and acknowledged."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from events.telemetry import SAMPLES_MAX, Row, Vantage, labels_of
from events.telemetry_log import TelemetryWriter
from standfast.bench.figure import Figure, Goal
from standfast.bench.ground import ground
from standfast.bench.measurement import rate
from standfast.bench.samples import BEGIN

if TYPE_CHECKING:
    from standfast.bench.ground import Ground

BATCHES = 1_000
SERIES = 250
WAITING_MAX = 100
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
        value = await rate(lambda: _write(under))
    name = "telemetry_samples_per_second"
    return [Figure(name, value, "samples/s", "higher", goal=Goal(300_000))]


async def _write(under: Ground) -> int:
    writer, batch = TelemetryWriter(under.client, VANTAGE), rows()
    for _ in range(BATCHES):
        writer.add(*batch)
        while writer.waiting_batches > WAITING_MAX:  # noqa: ASYNC110  (nobody is told)
            await asyncio.sleep(0)
    await writer.close(30.0)
    assert not writer.dropped_samples, f"{writer.dropped_samples} samples were dropped"
    return writer.sent_samples
