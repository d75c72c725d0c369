"""The watchdog's journal: its notes on disk, in order, by which others and a successor go on."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from effects.own_thread import BusyError, OwnThread
from events.frames import encode_frame
from standfast.emergency.spool import Spool, SpoolFullError
from standfast.watchdog.pages import NOTES, Opened, Telling, Told, Yielded, evolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from standfast.watchdog.pages import Note, Notice, Page, Pages

BYTES_MAX = 1024 * 1024
WRITE_SECONDS_MAX = 2.0
WAITING_MAX = 200
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Memory:
    """All that the notes of a journal say. `told` is in order, and `yielded` names outages."""

    pages: Pages
    told: tuple[Told, ...] = ()
    yielded: frozenset[str] = frozenset()

    def after(self, *notes: Note) -> Memory:
        """Give what is known after more notes."""
        pages = self.pages
        for note in notes:
            pages = evolve(pages, note)
        told = [one for one in notes if isinstance(one, Told) and one.id in pages]
        yielded = [one.outage for one in notes if isinstance(one, Yielded)]
        return Memory(pages, (*self.told, *told), self.yielded.union(yielded))

    def records(self, bytes_max: int) -> list[dict[str, Any]]:
        """Give records of notes that say the same.

        Where they were larger, the oldest pages are left out of which nobody is owed anything.
        """
        told: dict[str, list[Told]] = {}
        for one in self.told:
            told.setdefault(one.id, []).append(one)
        of_pages = [
            (page.is_over, _dumped(_notes_of(page, told.get(page.id, []))))
            for page in self.pages.values()
        ]
        sizes = [sum(len(encode_frame(one)) for one in records) for _, records in of_pages]
        excess = sum(sizes) - bytes_max
        kept = _dumped([Yielded(outage=outage) for outage in sorted(self.yielded)])
        for (is_over, records), size in zip(of_pages, sizes, strict=True):
            if is_over and excess > 0:
                excess -= size
            else:
                kept += records
        return kept


def _notes_of(page: Page, told: Sequence[Told]) -> list[Note]:
    """Give notes that make a page what it is."""
    trying = [
        Telling(id=page.id, receiver=name, notice=notice) for name, notice in page.trying.items()
    ]
    return [Opened(page=page), *told, *trying]


def _dumped(notes: Iterable[Note]) -> list[dict[str, Any]]:
    return [note.model_dump() for note in notes]


def _notes_in(records: Iterable[Any]) -> Iterator[Note]:
    """Read the notes of a journal; what this build can't read is left out."""
    for record in records:
        try:
            yield NOTES.validate_python(record)
        except ValidationError:
            _LOGGER.warning("a record of the journal can't be read and is left out")


def has_yielded(records: Iterable[Any], outage: str) -> bool:
    """Say whether a journal says that an outage was yielded to the log."""
    return Yielded(outage=outage).model_dump() in records


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
    for note in _notes_in(records):
        pages = evolve(pages, note)
        if isinstance(note, Told) and note.id in pages:
            sent.append(Sent(pages[note.id], note.receiver, note.notice, note.at))
    return sent


class Journal:
    """The file. A thread of its own writes it, so that a disk that hangs holds up nobody.

    `memory` is what was noted. What could not be written is written with the next notes.
    """

    def __init__(self, path: Path) -> None:
        """Open it, and read what is there."""
        self._spool = Spool(path, BYTES_MAX)
        self._thread = OwnThread("journal", WAITING_MAX)
        self._is_behind = self._has_failed = self._is_late = False
        self.memory = Memory({}).after(*_notes_in(self._spool.records))

    async def write(self, *notes: Note) -> None:
        """Take notes, and wait until they are on disk; one that fails or hangs is logged."""
        self.memory = self.memory.after(*notes)
        future = self._begin(_dumped(notes))
        if future is None or self._is_late:
            return
        await asyncio.wait({asyncio.wrap_future(future)}, timeout=WRITE_SECONDS_MAX)
        if not future.done():
            _LOGGER.warning("the journal's disk hangs; nobody waits for it")
            self._is_late = True
            future.add_done_callback(self._caught_up)

    def forget(self) -> None:
        """Begin anew, with nothing in it."""
        self.memory = Memory({})
        self._is_behind = True
        self._begin([])

    async def close(self) -> None:
        """Let the file go when all is written, unless its disk hangs."""
        with suppress(TimeoutError, BusyError):
            await self._thread.do(self._spool.close, WRITE_SECONDS_MAX)
        self._thread.close()

    def _begin(self, records: list[dict[str, Any]]) -> Future[None] | None:
        is_whole, memory = self._is_behind, self.memory
        try:
            future = self._thread.begin(lambda: self._store(records, memory, is_whole=is_whole))
        except BusyError:
            self._is_behind = True
            return None
        self._is_behind = False
        return future

    def _store(self, records: list[dict[str, Any]], memory: Memory, *, is_whole: bool) -> None:
        """Write records, or all that is known where some are missing in the file, or it is full."""
        try:
            if is_whole or self._has_failed or not self._spool.has_room_for(*records):
                self._spool.rewrite(*memory.records(BYTES_MAX // 2))
            else:
                self._spool.append(*records)
        except (OSError, SpoolFullError) as error:
            self._has_failed = True
            _LOGGER.warning("the journal can't be written: %s", error)
        else:
            self._has_failed = False

    def _caught_up(self, _future: Future[None]) -> None:
        self._is_late = False
