"""A process says that it lives by a sample of telemetry, marked when its loop ran late."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from events.surroundings import now
from events.telemetry import Row, labels_of
from events.telemetry_log import HEARTBEAT, TelemetryWriter

if TYPE_CHECKING:
    from nats.aio.client import Client

    from effects.lag import LoopLag
    from events.telemetry import Vantage

HEARTBEAT_SECONDS = 1.0
METRIC = "process_loop_lag_seconds"


class Heartbeat:
    """Beats under `sft.heartbeat.<producer>`; the value is how late the loop was just now."""

    def __init__(
        self, client: Client, vantage: Vantage, lag: LoopLag, seconds: float = HEARTBEAT_SECONDS
    ) -> None:
        self._writer = TelemetryWriter(client, vantage, HEARTBEAT)
        self._labels = labels_of(METRIC, process=vantage.producer)
        self._lag = lag
        self._seconds = seconds

    @property
    def subject(self) -> str:
        """The subject of the beats."""
        return self._writer.subject

    async def run(self) -> None:
        """Beat for as long as the process lives."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                lagged = self._lag.lagged_between(loop.time() - self._seconds, loop.time())
                row = Row(self._labels, now(), self._lag.last_seconds)
                self._writer.add(row, lagged=lagged)
                self._writer.flush()
                await asyncio.sleep(self._seconds)
        finally:
            await self._writer.close(0.5)
