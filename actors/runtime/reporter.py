"""A conclusion that differs from what the log says of a service is reported, one at a time."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from actors.runtime.commands import NoAnswerError
from actors.service import ReportHealth, Watched
from evaluation.news import is_news
from events.address import EntityAddress
from events.base import Evidence, Excerpt
from events.subjects import TELEMETRY_STREAM

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.runtime.commands import Answer, CommandClient
    from actors.runtime.service_book import Page, ServiceBook
    from evaluation.thresholds import Conclusion
    from evaluation.watching import Watching
    from events.streams import LogIdentity

REPORTS_MAX = 64
PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 1.0
PAUSE_SECONDS_MAX = 30.0
_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class _Pause:
    """A service about which nothing was to be heard, or no report taken: later, not at once."""

    seconds: float
    until: float


@dataclass(slots=True)
class Reporter:
    """Reports what `watching` concludes where the pages of `book` say otherwise.

    `identity` is the telemetry's, in which its evidence is to be found.
    A service for which `is_left` holds is left to another, who reports on it just now.
    """

    commands: CommandClient
    identity: LogIdentity
    book: ServiceBook
    watching: Watching
    is_left: Callable[[str], bool] = lambda _service: False
    reports: int = 0
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(REPORTS_MAX))
    _answered: dict[str, int] = field(default_factory=dict)
    _pauses: dict[str, _Pause] = field(default_factory=dict)

    def consider(self, service: str) -> None:
        """Report on a service if there is news, unless a report is on its way."""
        pause = self._pauses.get(service)
        if service in self._running or (pause and _now() < pause.until):
            return
        page = self.book.pages.get(service)
        if page is not None and self._is_news(service, page):
            task = asyncio.create_task(self._report(service))
            self._running[service] = task
            task.add_done_callback(lambda task: self._ended(service, task))

    def forget(self, service: str) -> None:
        """Drop what is kept about a service that is not watched any more."""
        self._answered.pop(service, None)
        self._pauses.pop(service, None)

    async def close(self) -> None:
        """Give up the reports that are on their way; the next process repeats them."""
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _is_news(self, service: str, page: Page) -> bool:
        """Compare with the page, once it holds the answer to our last report."""
        if not isinstance(page.state, Watched) or page.sequence < self._answered.get(service, 0):
            return False
        state, watching = page.state, self.watching
        has_news = is_news(watching, service, state, page.configured, page.changed)
        return has_news and not self.is_left(service)

    async def _report(self, service: str) -> None:
        """Send what is concluded by then, if it still is news."""
        async with self._places:
            page, conclusion = self.book.pages[service], self.watching.conclude(service)
            if conclusion is None or not self._is_news(service, page):
                return
            try:
                answer = await self._send(service, page, conclusion)
            except NoAnswerError as error:
                _LOGGER.warning("%s; %s is reported later", error, service)
                self._pause(service)
            else:
                self._take_answer(service, answer)

    async def _send(self, service: str, page: Page, conclusion: Conclusion) -> Answer:
        self.reports += 1
        return await self.commands.send(
            EntityAddress("service", service),
            report_of(conclusion, self.identity),
            command_id=_command_id(service, page, conclusion),
            time=conclusion.observed,
            patience_seconds=PATIENCE_SECONDS,
        )

    def _take_answer(self, service: str, answer: Answer) -> None:
        if answer.accepted:
            self._answered[service] = answer.sequence
            self._pauses.pop(service, None)
        else:
            _LOGGER.warning("the report on %s was %s: %s", service, answer.outcome, answer.message)
            self._pause(service)

    def _pause(self, service: str) -> None:
        before = self._pauses.get(service)
        seconds = PAUSE_SECONDS if before is None else before.seconds * 2
        seconds = min(seconds, PAUSE_SECONDS_MAX)
        self._pauses[service] = _Pause(seconds, _now() + seconds)

    def _ended(self, service: str, task: asyncio.Task[None]) -> None:
        del self._running[service]
        assert task.cancelled() or task.exception() is None, task.exception()


def report_of(conclusion: Conclusion, identity: LogIdentity) -> ReportHealth:
    """Give the command that tells a conclusion."""
    excerpt = tuple(
        Excerpt(
            time=reading.time,
            check=check,
            succeeded=reading.succeeded,
            duration_seconds=reading.duration_seconds,
            reason=reading.reason,
        )
        for check, reading in conclusion.recent
    )
    return ReportHealth(
        verdict=conclusion.verdict,
        since=conclusion.since,
        check=conclusion.check,
        reason=conclusion.reason,
        evidence=Evidence(
            stream=TELEMETRY_STREAM,
            log_id=identity.log_id,
            generation=identity.generation,
            first=conclusion.first,
            last=conclusion.last,
            excerpt=excerpt,
        ),
    )


def _command_id(service: str, page: Page, conclusion: Conclusion) -> str:
    """The same conclusion from the same knowledge is the same command: a repeat is harmless."""
    text = f"{service}\0{conclusion.verdict}\0{conclusion.last}\0{page.sequence}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _now() -> float:
    return asyncio.get_running_loop().time()
