"""The prober runs the checks of every watched service and writes what it saw as telemetry."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from actors.runtime.service_book import ServiceBook
from actors.service import Watched, is_or_was_down
from effects.heartbeat import HEARTBEAT_SECONDS, Heartbeat
from effects.lag import LAG_SECONDS_MAX, LoopLag
from effects.probes.canary import INTERVAL_SECONDS
from effects.probes.scheduler import CONCURRENCY_MAX, Scheduler
from evaluation.series import probe_rows
from events.service import ServiceConfigured, ServiceProbeRequested, ServiceRetired
from events.telemetry_log import TelemetryWriter
from standfast.emergency.vigil import Vigil
from standfast.roles.lookout import Lookout, canary_at, is_loopback

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client

    from actors.runtime.service_book import Change, Page
    from events.log import Log
    from events.service import Check
    from events.telemetry import Vantage
    from standfast.emergency.emergency import Emergency
    from standfast.emergency.merging import Merger


@dataclass(frozen=True, slots=True)
class ProberSettings:
    """How a prober works.

    Without a canary of its own it looks at the log's server, where that is on another machine.
    `children` is the directory in which supervised children are recorded.
    """

    children: Path | None = None
    canary: Check | None = None
    canary_interval_seconds: float = INTERVAL_SECONDS
    concurrency_max: int = CONCURRENCY_MAX
    lag_seconds_max: float = LAG_SECONDS_MAX
    heartbeat_seconds: float = HEARTBEAT_SECONDS


@dataclass(frozen=True, slots=True)
class WithoutLog:
    """What a prober needs to go on without the log, and to tell it afterwards."""

    emergency: Emergency
    merger: Merger
    log_directory: Path | None = None


class Prober:
    """Watches from one vantage point until cancelled. It commits nothing."""

    def __init__(
        self,
        log: Log,
        vantage: Vantage,
        settings: ProberSettings | None = None,
        without_log: WithoutLog | None = None,
    ) -> None:
        """Prepare within a running event loop; nothing is touched before `run`."""
        settings = settings or ProberSettings()
        self._book = ServiceBook(log)
        lag = LoopLag(lag_seconds_max=settings.lag_seconds_max)
        canary = settings.canary or _server_of(log.client)
        self._lookout = Lookout(settings.children, canary, settings.canary_interval_seconds, lag)
        self._heartbeat = Heartbeat(log.client, vantage, lag, settings.heartbeat_seconds)
        self._scheduler = Scheduler(self._check, concurrency_max=settings.concurrency_max)
        self.writer = TelemetryWriter(log.client, vantage)
        self._judge = None if without_log is None else without_log.emergency.judge
        self._vigil = None if without_log is None else self._vigil_over(log, without_log)

    def _vigil_over(self, log: Log, given: WithoutLog) -> Vigil:
        return Vigil(
            given.emergency, log, self._book, self.writer, given.merger, given.log_directory
        )

    @property
    def checks(self) -> int:
        """How many checks it runs."""
        return self._scheduler.checks

    async def run(self) -> None:
        """Probe until cancelled; outages of the log are waited out."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._lookout.run())
                group.create_task(self._heartbeat.run())
                group.create_task(self._scheduler.run())
                group.create_task(self._follow())
                if self._vigil is not None:
                    group.create_task(self._vigil.run())
        finally:
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
        for service in self._book.watched():
            self._configure(service, self._book.pages[service])

    def _take(self, change: Change) -> None:
        match change.event:
            case ServiceConfigured():
                self._configure(change.service, change.page)
            case ServiceRetired():
                self._scheduler.remove(change.service)
                if self._judge is not None:
                    self._judge.retire(change.service)
            case ServiceProbeRequested():
                self._scheduler.probe_now(change.service)

    def _configure(self, service: str, page: Page) -> None:
        assert isinstance(page.state, Watched), "it was configured"
        checks = page.state.settings.checks
        self._scheduler.replace(service, checks)
        if self._judge is not None:
            was_down = is_or_was_down(page.state.health)
            since = page.configured or datetime.now(UTC)
            self._judge.configure(service, checks, since, was_down=was_down)

    async def _check(self, service: str, check: Check) -> None:
        """Probe once and write it down, with what is to be thought of ourselves meanwhile."""
        sighting = await self._lookout.look(check)
        seen = sighting.seen
        rows = probe_rows(
            service,
            check.name,
            sighting.moment,
            succeeded=seen.succeeded,
            seconds=seen.duration_seconds,
            reason=seen.reason,
        )
        self.writer.add(*rows, lagged=sighting.lagged, canary_failed=sighting.canary_failed)
        if self._judge is not None:
            self._judge.count(service, check.name, sighting.reading, sighting.distrust)


def _server_of(client: Client) -> Check | None:
    """Take the log's own server for a canary: from a machine that can't reach it little is seen.

    One on this machine proves nothing about the network, and may be away while all else is well.
    """
    url = client.connected_url
    assert url is not None, "the log's client is connected"
    host = url.hostname or ""
    return None if is_loopback(host) else canary_at(host, url.port or 4222)
