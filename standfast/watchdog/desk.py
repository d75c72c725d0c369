"""The desk: pages that are open, who heard them, and a journal by which a successor goes on."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from effects.contract import Failed, Succeeded
from effects.ending import end_tasks
from standfast.watchdog.journal import Journal
from standfast.watchdog.pages import Closed, Telling, Told, Untold, Yielded

if TYPE_CHECKING:
    from pathlib import Path

    from effects.ports import Clock
    from standfast.watchdog.pages import Note, Notice, Page, Pages
    from standfast.watchdog.telling import Teller

RETRY_SECONDS_FIRST = 1.0
RETRY_SECONDS_MAX = 60.0
_LOGGER = logging.getLogger(__name__)

Errand = tuple[str, str]
"""A page's id and a receiver's name."""


@dataclass(slots=True)
class _Pause:
    """A receiver that could not be told: when to try again."""

    seconds: float
    until: float


@dataclass(slots=True)
class Desk:
    """Tells what is open until nobody is owed anything."""

    path: Path
    teller: Teller
    clock: Clock
    repeat_seconds: float
    troubles: dict[str, str] = field(default_factory=dict)
    _journal: Journal = field(init=False)
    _running: dict[Errand, asyncio.Task[None]] = field(default_factory=dict)
    _pauses: dict[Errand, _Pause] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Go on where the last one ended."""
        self._journal = Journal(self.path)

    @property
    def pages(self) -> Pages:
        """All pages that are not forgotten, by their ids, oldest first."""
        return self._journal.memory.pages

    def open_pages(self) -> list[Page]:
        """Give the pages of faults that are not over."""
        return [page for page in self.pages.values() if page.closed is None and not page.left]

    async def note(self, *notes: Note) -> None:
        """Take notes. They are written first; a disk that fails or hangs does not stop us."""
        if notes:
            await self._journal.write(*notes)

    async def close(self, page_id: str) -> None:
        """Note that a fault is over."""
        await self.note(Closed(id=page_id, at=self.clock.now()))

    async def yield_to_log(self, outage: str) -> None:
        """Note that nothing more is told about services, when what was begun has ended."""
        busy = [page for page, _ in self._running if page.startswith(outage)]
        if not busy and outage not in self._journal.memory.yielded:
            await self.note(Yielded(outage=outage))

    def tell(self, silent: str = "") -> None:
        """Begin to tell whoever is to be told now; one notice at a time to each.

        Pages of the outage `silent` are left out.
        """
        now = self.clock.now()
        for page in self.pages.values():
            if silent and page.id.startswith(silent):
                continue
            for receiver in page.receivers:
                notice = page.next_notice(receiver, now, self.repeat_seconds)
                if notice is not None and self._may_try((page.id, receiver)):
                    self._begin(page, receiver, notice)

    def forget(self) -> None:
        """Start a new journal, where nothing is open and nobody is owed anything."""
        if self.pages and all(page.is_over for page in self.pages.values()):
            self._journal.forget()

    async def stop(self) -> None:
        """Tell nobody anything more; what was begun is told again by the next one."""
        await end_tasks(self._running.values())
        await self.teller.close()
        await self._journal.close()

    def _may_try(self, errand: Errand) -> bool:
        pause = self._pauses.get(errand)
        waits = pause is not None and self.clock.monotonic_seconds() < pause.until
        return errand not in self._running and not waits

    def _begin(self, page: Page, receiver: str, notice: Notice) -> None:
        errand = (page.id, receiver)
        task = asyncio.create_task(self._tell(page, receiver, notice))
        self._running[errand] = task
        task.add_done_callback(lambda _task: self._running.pop(errand))

    async def _tell(self, page: Page, receiver: str, notice: Notice) -> None:
        await self.note(Telling(id=page.id, receiver=receiver, notice=notice))
        result = await self.teller.tell(page, receiver, notice)
        match result:
            case Succeeded():
                at = self.clock.now()
                await self.note(Told(id=page.id, receiver=receiver, notice=notice, at=at))
                self._pauses.pop((page.id, receiver), None)
                self.troubles.pop(receiver, None)
                return
            case Failed() if receiver not in page.trying:  # nor had an earlier try an unknown end
                await self.note(Untold(id=page.id, receiver=receiver))
        self._pause((page.id, receiver))
        self.troubles[receiver] = result.reason
        _LOGGER.warning("%s was not told: %s", receiver, result.reason)

    def _pause(self, errand: Errand) -> None:
        before = self._pauses.get(errand)
        seconds = RETRY_SECONDS_FIRST if before is None else before.seconds * 2
        seconds = min(seconds, RETRY_SECONDS_MAX)
        self._pauses[errand] = _Pause(seconds, self.clock.monotonic_seconds() + seconds)
