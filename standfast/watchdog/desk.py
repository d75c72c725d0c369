"""The desk: pages that are open, who heard them, and a journal by which a successor goes on."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

from pydantic import ValidationError

from effects.contract import Failed, Succeeded
from effects.ending import end_tasks
from standfast.emergency.spool import Spool, SpoolFullError
from standfast.watchdog.pages import (
    NOTES,
    Closed,
    Notice,
    Opened,
    Pages,
    Telling,
    Told,
    Untold,
    Yielded,
    evolve,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from effects.ports import Clock
    from standfast.watchdog.pages import Note, Page
    from standfast.watchdog.telling import Teller

JOURNAL_BYTES_MAX = 1024 * 1024
DISK_SECONDS_MAX = 2.0
RETRY_SECONDS_FIRST = 1.0
RETRY_SECONDS_MAX = 60.0
_LOGGER = logging.getLogger(__name__)

Errand = tuple[str, str]
"""A page's id and a receiver's name."""


def pages_in(records: Iterable[Any]) -> Pages:
    """Fold the notes of a journal; what this build can't read is left out."""
    pages: Pages = {}
    for record in records:
        try:
            pages = evolve(pages, NOTES.validate_python(record))
        except ValidationError:
            _LOGGER.warning("a record of the journal can't be read and is left out")
    return pages


@dataclass(frozen=True, slots=True)
class Sent:
    """A notice that a receiver heard, and of which page. `key` is the same for ever."""

    page: Page
    receiver: str
    notice: Notice
    at: datetime

    @property
    def key(self) -> str:
        """What tells it from every other."""
        return f"told.{self.page.id}.{self.receiver}.{self.notice.status}.{self.notice.level}"


def notices_told(records: Iterable[Any]) -> list[Sent]:
    """Give what was heard by whom, in order, from the notes of a journal."""
    pages: Pages = {}
    sent = []
    for record in records:
        try:
            note = NOTES.validate_python(record)
        except ValidationError:
            continue
        pages = evolve(pages, note)
        if isinstance(note, Told) and note.id in pages:
            sent.append(Sent(pages[note.id], note.receiver, note.notice, note.at))
    return sent


def has_yielded(records: Iterable[Any], outage: str) -> bool:
    """Say whether a journal says that an outage was yielded to the log."""
    return Yielded(outage=outage).model_dump() in records


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
    pages: Pages = field(init=False)
    troubles: dict[str, str] = field(default_factory=dict)
    _journal: Spool = field(init=False)
    _running: dict[Errand, asyncio.Task[None]] = field(default_factory=dict)
    _pauses: dict[Errand, _Pause] = field(default_factory=dict)
    _yielded: set[str] = field(default_factory=set)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Go on where the last one ended."""
        self._journal = Spool(self.path, JOURNAL_BYTES_MAX)
        self.pages = pages_in(self._journal.records)

    def open_pages(self) -> list[Page]:
        """Give the pages of faults that are not over."""
        return [page for page in self.pages.values() if page.closed is None and not page.left]

    async def note(self, *notes: Note) -> None:
        """Take notes. They are written first; a disk that fails or hangs does not stop us."""
        if not notes:
            return
        self.pages = reduce(evolve, notes, self.pages)
        records = [note.model_dump() for note in notes]
        async with self._turn:
            try:
                async with asyncio.timeout(DISK_SECONDS_MAX):
                    await asyncio.to_thread(self._write, records)
            except (TimeoutError, OSError, SpoolFullError) as error:
                _LOGGER.warning("the journal can't be written: %s", error)

    async def close(self, page_id: str) -> None:
        """Note that a fault is over."""
        await self.note(Closed(id=page_id, at=self.clock.now()))

    async def yield_to_log(self, outage: str) -> None:
        """Note that nothing more is told about services, when what was begun has ended."""
        busy = [page for page, _ in self._running if page.startswith(outage)]
        if not busy and outage not in self._yielded:
            self._yielded.add(outage)
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
            self._journal.clear()
            self.pages = {}

    async def stop(self) -> None:
        """Tell nobody anything more; what was begun is told again by the next one."""
        await end_tasks(self._running.values())
        await self.teller.close()
        self._journal.close()

    def _write(self, records: list[dict[str, Any]]) -> None:
        try:
            self._journal.append(*records)
        except SpoolFullError:
            self._journal.clear()
            kept = [page for page in self.pages.values() if not page.is_over]
            self._journal.append(*[Opened(page=page).model_dump() for page in kept])

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
