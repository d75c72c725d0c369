"""The watchdog's loop: listen for the heartbeat, look who is gone, tell, and ping outside."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from effects.clock import SystemClock
from effects.own_thread import BusyError, OwnThread
from standfast.emergency.reading import OutageReader
from standfast.emergency.spool import SPOOL
from standfast.runtime import NotRunningError, Situation
from standfast.watchdog.dead_man import DeadManSwitch
from standfast.watchdog.desk import Desk
from standfast.watchdog.expectation import Expectation
from standfast.watchdog.faults import (
    IMPAIRED,
    LOG_AWAY,
    SILENT,
    UNNAMED,
    annotations_of,
    impaired_page,
    impairment,
    silent_page,
)
from standfast.watchdog.handing_over import HandingOver
from standfast.watchdog.outages import OutagePages, Settling
from standfast.watchdog.pages import Changed, Left, Opened
from standfast.watchdog.pulse import PulseFile
from standfast.watchdog.sight import Sight, supervised_seconds
from standfast.watchdog.status import STATUS, OpenPage, WatchdogStatus, write_status
from standfast.watchdog.telling import Teller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from effects.ports import Clock
    from standfast.config.model import Configuration
    from standfast.emergency.records import Outage
    from standfast.watchdog.pages import Page
    from standfast.watchdog.sight import Absence

LOOK_SECONDS = 0.5
JOURNAL = "journal"
KEPT_SECONDS = 600.0
STATUS_SECONDS = 2.0
SILENT_LOG_SECONDS = 30.0
"""So long after an outage the log may need until its own alerts speak."""
_LOGGER = logging.getLogger(__name__)


class Watchdog:
    """Watches Standfast itself from its state directory until cancelled."""

    def __init__(self, situation: Situation, clock: Clock | None = None) -> None:
        """Prepare; what a killed predecessor had open is open."""
        self._situation = situation
        self._clock = clock or SystemClock()
        configuration = situation.configuration
        settings = configuration.watchdog
        directory = situation.directory
        self._pulse = PulseFile(directory.pulse)
        self._sight = Sight(directory, not configuration.log.url, self._clock)
        self._expectation = Expectation(settings.silence_seconds, self._clock)
        teller = Teller(configuration.receivers, situation.runtime.web_url)
        self.desk = Desk(directory.watchdog / JOURNAL, teller, self._clock, settings.repeat_seconds)
        self._dead_man = DeadManSwitch(
            settings.dead_man_url, settings.dead_man_interval_seconds, self._clock
        )
        self._outages = OutageReader(directory.emergency / SPOOL)
        self._settling = Settling()
        self._handing_over = HandingOver(situation.projections_url)
        self._log_back_since: float | None = None
        self._well_since: float | None = None
        self._status_thread = OwnThread("status", waiting_max=1)
        self._written_seconds = -STATUS_SECONDS

    async def run(self) -> None:
        """Watch until cancelled: an orderly end pages nobody."""
        pulse = self._pulse.read()
        supervised = supervised_seconds(self._situation.directory, self._clock.now())
        self._expectation.begin(pulse.beat if pulse else None, supervised)
        pinging = asyncio.create_task(self._keep_pinging())
        try:
            while not pinging.done():
                await self._look()
                await asyncio.sleep(LOOK_SECONDS)
            pinging.result()
        finally:
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
            await self.desk.stop()
            self._status_thread.close()

    async def _keep_pinging(self) -> None:
        while True:
            if self._expectation.is_beating:
                await self._dead_man.ping()
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        pulse = self._pulse.read()
        self._expectation.hear(pulse.beat if pulse else None)
        self._sight.look()
        outage = self._outages.read()
        if outage is None:
            await self._after_outage()
        else:
            await self._tell_without_log(outage)
        await self._judge_silence()
        await self._judge_impairment()
        self.desk.tell(silent=outage.id if outage and outage.returns else "")
        self._tidy()
        self._write_status()

    async def _tell_without_log(self, outage: Outage) -> None:
        """Tell what the prober concluded and the log could not take."""
        self._log_back_since = None
        if outage.returns:
            await self.desk.yield_to_log(outage.id)
            return
        made = OutagePages(outage, self.desk.pages, self._configuration(), self._clock.now())
        settled = self._settling.settled(made.unsaid, self._clock.monotonic_seconds())
        await self.desk.note(*made.notes(settled))

    async def _after_outage(self) -> None:
        """Leave pages to the log's alerts; end those of which it says nothing and all is well."""
        pages = [page for page in self.desk.open_pages() if page.services]
        for alert in (LOG_AWAY, UNNAMED):
            if page := self._open_page(alert):
                await self.desk.close(page.id)
        now = self._clock.monotonic_seconds()
        self._log_back_since = self._log_back_since or now
        for page in pages:
            fate = await self._handing_over.fate_of(page)
            if fate == "left":
                await self.desk.note(Left(id=page.id))
            elif fate == "well" and now - self._log_back_since > SILENT_LOG_SECONDS:
                await self.desk.close(page.id)

    def _is_explained(self) -> bool:
        """Say whether silence is that of the log alone: the prober watches, and people know."""
        return self._outages.outage is not None and "prober" in self._sight.present

    async def _judge_silence(self) -> None:
        page = self._open_page(SILENT)
        if page is None and self._expectation.is_silent and not self._is_explained():
            now, heard = self._clock.now(), self._expectation.heard
            page = silent_page(self._configuration(), self._sight, heard, now)
            await self.desk.note(Opened(page=page))
        elif page is not None and self._expectation.is_fresh:
            await self.desk.close(page.id)

    async def _judge_impairment(self) -> None:
        """Tell who stays away, unless the heart does not beat: that is told already."""
        page, now = self._open_page(IMPAIRED), self._clock.now()
        seconds = self._situation.configuration.watchdog.silence_seconds
        absent = self._sight.absent_for(seconds)
        if page is not None and not absent:
            await self.desk.close(page.id)
        elif page is not None and _differs(page, absent):
            texts = annotations_of(impairment(absent))
            await self.desk.note(Changed(id=page.id, annotations=texts))
        elif page is None and absent and self._may_be_impaired():
            await self.desk.note(Opened(page=impaired_page(self._configuration(), absent, now)))

    def _may_be_impaired(self) -> bool:
        return self._expectation.is_beating and self._outages.outage is None

    def _open_page(self, alert: str) -> Page | None:
        return next((page for page in self.desk.open_pages() if page.alert == alert), None)

    def _configuration(self) -> Configuration:
        """Read the configuration again: a reload changes it."""
        try:
            return Situation.read(self._situation.directory).configuration
        except NotRunningError:
            return self._situation.configuration

    def _tidy(self) -> None:
        """Forget what is over, once all has been well for so long that the log knows it too."""
        now = self._clock.monotonic_seconds()
        if not self._expectation.is_fresh or self.desk.open_pages():
            self._well_since = None
        elif self._well_since is None:
            self._well_since = now
        elif now - self._well_since > KEPT_SECONDS:
            self.desk.forget()

    def _write_status(self) -> None:
        now = self._clock.monotonic_seconds()
        if now < self._written_seconds + STATUS_SECONDS:
            return
        self._written_seconds = now
        with suppress(BusyError):  # a disk that hangs has the newest of earlier ones
            self._status_thread.begin(partial(self._put_status, self._status()))

    def _put_status(self, status: WatchdogStatus) -> None:
        try:
            write_status(self._situation.directory.watchdog / STATUS, status)
        except OSError as error:
            _LOGGER.warning("the status can't be written: %s", error)

    def _status(self) -> WatchdogStatus:
        pages = [
            OpenPage(
                alert=page.alert,
                summary=page.annotations.get("summary", ""),
                opened=page.opened,
                heard=tuple(page.heard),
            )
            for page in self.desk.open_pages()
        ]
        return WatchdogStatus(
            written=self._clock.now(),
            heard=self._expectation.heard,
            is_fresh=self._expectation.is_fresh,
            pages=tuple(pages),
            troubles=self.desk.troubles,
            dead_man_answered=self._dead_man.answered,
            dead_man_trouble=self._dead_man.trouble,
        )


def _differs(page: Page, absent: Sequence[Absence]) -> bool:
    return page.annotations != annotations_of(impairment(absent))
