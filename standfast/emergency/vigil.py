"""The vigil: does the log take what is to be known? Where not, it is told later, and people now."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from actors.runtime.commands import NoAnswerError
from effects.ending import end_tasks
from events.log import LogUnavailableError
from standfast.emergency.diagnosis import CLOSED, diagnose, refusal_of
from standfast.emergency.emergency import EMERGENCY_SECONDS
from standfast.emergency.records import LostAgain, Returned

if TYPE_CHECKING:
    from pathlib import Path

    from actors.runtime.service_book import ServiceBook
    from events.log import Log
    from events.telemetry_log import TelemetryWriter
    from standfast.emergency.emergency import Emergency
    from standfast.emergency.merging import Merger
    from standfast.emergency.records import Outage

LOOK_SECONDS = 0.5
MERGE_SECONDS = 1.0
HEAD_SECONDS = 2.0
ASK_SECONDS = 2.0
CLOSED_SECONDS = 60.0
"""A restore may keep the log closed for so long before that is an emergency."""
YIELD_SECONDS_MAX = 6.0
"""A receiver's own time limit and more; a watchdog that does not answer is not waited for."""
YIELD_LOOK_SECONDS = 0.1
_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class Vigil:
    """Watches over one prober's way into the log, until cancelled.

    There are three signs that the log takes nothing: telemetry is not acknowledged, a service is
    down by our own judgement and the log does not say so, or the stream of commits is at its limit
    or closed, which nobody would notice in a calm time, when nothing is to be committed.
    """

    emergency: Emergency
    log: Log
    book: ServiceBook
    writer: TelemetryWriter
    merger: Merger
    log_directory: Path | None = None
    _refuses_since: float | None = field(default=None, init=False)

    async def run(self) -> None:
        """Watch until cancelled."""
        beside = [
            asyncio.create_task(self._keep_merging()),
            asyncio.create_task(self._keep_asking()),
        ]
        try:
            while not any(one.done() for one in beside):
                await asyncio.sleep(LOOK_SECONDS)
                await self._look()
            for one in beside:
                if one.done():
                    one.result()
        finally:
            await end_tasks(beside)

    async def _keep_asking(self) -> None:
        """Ask the log whether it would take a commit; where it does not answer others tell."""
        while True:
            await asyncio.sleep(ASK_SECONDS)
            try:
                refusal = await refusal_of(self.log)
            except (NatsError, TimeoutError, OSError):
                continue
            if refusal is None:
                self._refuses_since = None
            elif self._refuses_since is None:
                more = CLOSED_SECONDS - EMERGENCY_SECONDS if refusal.reason == CLOSED else 0.0
                self._refuses_since = asyncio.get_running_loop().time() + more

    async def _look(self) -> None:
        self.emergency.judge.watching.advance(datetime.now(UTC), 0)
        if self.emergency.outage is not None:
            self.emergency.conclude(self.book.pages)
            return
        now = asyncio.get_running_loop().time()
        unsaid_seconds = self.emergency.judge.overdue_seconds(self.book.pages, now)
        refused_seconds = 0.0 if self._refuses_since is None else now - self._refuses_since
        away_seconds = max(unsaid_seconds, refused_seconds, self.writer.unacknowledged_seconds)
        if away_seconds >= EMERGENCY_SECONDS:
            diagnosis = await diagnose(self.log, self.log_directory)
            since = datetime.now(UTC) - timedelta(seconds=away_seconds)
            self.emergency.begin(since, diagnosis, self.book.pages)

    async def _keep_merging(self) -> None:
        while True:
            await asyncio.sleep(MERGE_SECONDS)
            try:
                if self.emergency.outage is not None:
                    await self._merge()
                else:
                    await self.merger.merge_told()
            except (NoAnswerError, LogUnavailableError, TimeoutError, OSError) as error:
                _LOGGER.info("the log takes nothing yet: %s", error)

    async def _merge(self) -> None:
        """Tell the log all. Till then the evaluator leaves these services to us."""
        async with asyncio.timeout(HEAD_SECONDS):
            await self.log.head_sequence()
        await self.merger.finish(self._outage)
        self.emergency.turn(Returned())
        try:
            await self._tell_log()
        except NoAnswerError:
            self.emergency.turn(LostAgain())
            raise
        self._refuses_since = None  # what was asked before is of before
        self.emergency.end()

    @property
    def _outage(self) -> Outage:
        assert self.emergency.outage is not None, "there is an emergency"
        return self.emergency.outage

    async def _tell_log(self) -> None:
        """Tell the log who was told, when that is certain, and then what was concluded."""
        until = asyncio.get_running_loop().time() + YIELD_SECONDS_MAX
        while not self.merger.has_yielded(self._outage):
            if asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(YIELD_LOOK_SECONDS)
        await self.merger.merge_told()
        done = 0
        while done < len(self._outage.conclusions):
            done = await self.merger.merge(self._outage, done)
