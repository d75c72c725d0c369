"""The prober runs the checks of every watched service and writes what it saw as telemetry."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.runtime.service_book import ServiceBook
from effects.clock import SystemClock
from effects.heartbeat import HEARTBEAT_SECONDS, Heartbeat
from effects.lag import LAG_SECONDS_MAX, LoopLag
from effects.probes.any import AnyProbe
from effects.probes.canary import INTERVAL_SECONDS, Canary
from effects.probes.scheduler import CONCURRENCY_MAX, Scheduler
from evaluation.series import probe_rows
from events.service import ServiceConfigured, ServiceProbeRequested, ServiceRetired, TcpCheck
from events.telemetry_log import TelemetryWriter

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client

    from actors.runtime.service_book import Change
    from effects.ports import Observed
    from events.log import Log
    from events.service import Check
    from events.telemetry import Vantage

CANARY_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ProberSettings:
    """How a prober works. Without a canary of its own it looks at the log's server.

    `children` is the directory in which supervised children are recorded.
    """

    children: Path | None = None
    canary: Check | None = None
    canary_interval_seconds: float = INTERVAL_SECONDS
    concurrency_max: int = CONCURRENCY_MAX
    lag_seconds_max: float = LAG_SECONDS_MAX
    heartbeat_seconds: float = HEARTBEAT_SECONDS


class Prober:
    """Watches from one vantage point until cancelled. It commits nothing."""

    def __init__(self, log: Log, vantage: Vantage, settings: ProberSettings | None = None) -> None:
        """Prepare within a running event loop; nothing is touched before `run`."""
        settings = settings or ProberSettings()
        self._book = ServiceBook(log)
        self._clock = SystemClock()
        self._probe = AnyProbe(settings.children)
        self._canary_check = settings.canary or _server_of(log.client)
        self._canary = Canary(self._look_at_canary, settings.canary_interval_seconds)
        self._lag = LoopLag(lag_seconds_max=settings.lag_seconds_max)
        self._heartbeat = Heartbeat(log.client, vantage, self._lag, settings.heartbeat_seconds)
        self._scheduler = Scheduler(self._check, concurrency_max=settings.concurrency_max)
        self.writer = TelemetryWriter(log.client, vantage)

    @property
    def checks(self) -> int:
        """How many checks it runs."""
        return self._scheduler.checks

    async def run(self) -> None:
        """Probe until cancelled; outages of the log are waited out."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._lag.run())
                group.create_task(self._canary.run())
                group.create_task(self._heartbeat.run())
                group.create_task(self._scheduler.run())
                group.create_task(self._follow())
        finally:
            await self._probe.close()
            await self.writer.close()

    async def _follow(self) -> None:
        """Learn the checks from the log: all there are, and then each change."""
        stream = self._book.changes()
        is_first = True
        async with contextlib.aclosing(stream):
            async for changes in stream:
                if is_first:
                    self._take_all()
                    is_first = False
                for change in changes:
                    self._take(change)

    def _take_all(self) -> None:
        for service, state in self._book.watched().items():
            self._scheduler.replace(service, state.settings.checks)

    def _take(self, change: Change) -> None:
        match change.event:
            case ServiceConfigured(settings=settings):
                self._scheduler.replace(change.service, settings.checks)
            case ServiceRetired():
                self._scheduler.remove(change.service)
            case ServiceProbeRequested():
                self._scheduler.probe_now(change.service)

    async def _check(self, service: str, check: Check) -> None:
        """Probe once and write it down, with what is to be thought of ourselves meanwhile."""
        start, moment = self._clock.monotonic_seconds(), self._clock.now()
        seen = await self._probe.probe(check)
        if not seen.succeeded or self._canary.is_failing:
            await self._canary.confirm()
        lagged = self._lag.lagged_between(start, self._clock.monotonic_seconds())
        rows = probe_rows(
            service,
            check.name,
            moment,
            succeeded=seen.succeeded,
            seconds=seen.duration_seconds,
            reason=seen.reason,
        )
        self.writer.add(
            *rows,
            lagged=lagged or seen.own_fault,
            canary_failed=self._canary.is_failing,
        )

    async def _look_at_canary(self) -> Observed:
        return await self._probe.probe(self._canary_check)


def _server_of(client: Client) -> Check:
    """Take the log's own server for a canary: whoever can't reach it sees nothing anyway."""
    url = client.connected_url
    assert url is not None, "the log's client is connected"
    return TcpCheck(
        name="canary",
        host=url.hostname or "127.0.0.1",
        port=url.port or 4222,
        timeout_seconds=CANARY_TIMEOUT_SECONDS,
    )
