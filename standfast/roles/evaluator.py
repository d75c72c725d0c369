"""The evaluator reads the telemetry and reports a service when its conclusion about it changed."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from actors.runtime.reporter import Reporter
from actors.runtime.service_book import ServiceBook
from actors.service import Watched, is_or_was_down
from effects.heartbeat import Heartbeat
from effects.lag import LAG_SECONDS_MAX, LoopLag
from evaluation.watching import Watching
from events.reader import Start
from events.service import ServiceConfigured, ServiceRetired
from events.streams import telemetry_identity
from events.surroundings import now
from events.telemetry_log import PROBE, TelemetryReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.runtime.commands import CommandClient
    from actors.runtime.service_book import Change, Page
    from events.log import Log
    from events.telemetry import Vantage
    from events.telemetry_log import StoredBatch

SWEEP_SECONDS = 1.0
SETTLING_SECONDS = 15.0
"""So long after a start silence is no NO DATA: after an upgrade or a restore of the log probers
start, too."""


@dataclass(frozen=True, slots=True)
class EvaluatorSettings:
    """How an evaluator works. Services for which `is_left` holds are reported on by another."""

    is_left: Callable[[str], bool] = lambda _service: False
    sweep_seconds: float = SWEEP_SECONDS
    lag_seconds_max: float = LAG_SECONDS_MAX
    settling_seconds: float = SETTLING_SECONDS


class Evaluator:
    """Concludes for every watched service until cancelled.

    All it knows is rebuilt from the log at each start. It concludes as of the moment up to which
    it has read (see `Watching`), so that its own lag or an outage of the log concludes nothing.
    """

    def __init__(
        self,
        log: Log,
        commands: CommandClient,
        vantage: Vantage,
        settings: EvaluatorSettings | None = None,
    ) -> None:
        """Prepare within a running event loop; nothing is touched before `run`."""
        self._log = log
        self._settings = settings or EvaluatorSettings()
        self._lag = LoopLag(lag_seconds_max=self._settings.lag_seconds_max)
        self._heartbeat = Heartbeat(log.client, vantage, self._lag)
        self._book = ServiceBook(log)
        self._reader: TelemetryReader | None = None
        self._began: datetime | None = None
        """When it began to read, until it has read the first beat of its own since then."""
        self.watching = Watching()
        self.reporter = Reporter(
            commands, log.identity, self._book, self.watching, self._settings.is_left
        )

    async def run(self) -> None:
        """Evaluate until cancelled; outages of the log are waited out."""
        self.reporter.identity = await telemetry_identity(self._log.client, self._log.identity)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._lag.run())
                group.create_task(self._follow_services(group))
        finally:
            await self.reporter.close()

    async def _follow_services(self, group: asyncio.TaskGroup) -> None:
        """Learn the services from the log; when all are known, the telemetry follows."""
        stream = self._book.changes()
        is_first = True
        async with contextlib.aclosing(stream):
            async for changes in stream:
                if is_first:
                    self._take_all()
                    group.create_task(self._follow_telemetry())
                    group.create_task(self._sweep())
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
                self.watching.retire(change.service)
                self.reporter.forget(change.service)
            case _:
                self.reporter.consider(change.service)

    def _configure(self, service: str, page: Page) -> None:
        assert isinstance(page.state, Watched), "it was configured"
        assert page.configured is not None, "it was configured"
        self.watching.configure(
            service,
            page.state.settings.checks,
            page.configured,
            was_down=is_or_was_down(page.state.health),
        )

    async def _follow_telemetry(self) -> None:
        """Refill what may still count, then live; our own heartbeats say how far we have read."""
        self._began = now()
        since = self._began - self.watching.refill_window()
        filters = [f"sft.{PROBE}.>", self._heartbeat.subject]
        reader = self._reader = TelemetryReader(self._log.client, filters, Start(time=since))
        stream = reader.batches()
        async with contextlib.aclosing(stream), asyncio.TaskGroup() as group:
            beating = group.create_task(self._heartbeat.run())
            async for stored in stream:
                self._take_telemetry(stored)
            beating.cancel()

    def _take_telemetry(self, stored: list[StoredBatch]) -> None:
        touched: set[str] = set()
        for one in stored:
            touched |= self.watching.take(one.batch, one.sequence, one.stored, one.pending)
            if self._began and one.subject == self._heartbeat.subject:
                self._begin_with(one, self._began)
        for service in touched:
            self.reporter.consider(service)

    def _begin_with(self, beat: StoredBatch, began: datetime) -> None:
        """Begin with the first beat of this process: those before it are of predecessors."""
        if beat.batch.start >= began:
            self.watching.begin(beat.stored, timedelta(seconds=self._settings.settling_seconds))
            self._began = None

    async def _sweep(self) -> None:
        """Find what has fallen silent, and report again what could not be reported."""
        while True:
            await asyncio.sleep(self._settings.sweep_seconds)
            for service in self.watching.services:
                self.reporter.consider(service)
