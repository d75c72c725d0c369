"""The executor's journal: what it took on, began, ended and reported, on disk before it counts.

One append-only file of frames. A tail that a crash tore is cut off. Entries that nobody needs any
more are left out when it is compacted.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from effects.contract import Cancelled, Failed, Result, Succeeded, Unknown
from events.frames import decode_frames, encode_frame

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

MAGIC = b"SFJ1"
COMPACT_BYTES_MIN = 4 * 1024 * 1024
KEPT = timedelta(minutes=10)
"""How long after its deadline an entry is remembered: later, its errand is refused as too late."""

ACCEPTED, BEGUN, ENDED, REPORTED, CANCELLED = "accepted", "begun", "ended", "reported", "cancelled"
_RESULTS: dict[str, type[Result]] = {
    kind.__name__: kind for kind in (Succeeded, Failed, Cancelled, Unknown)
}
_LOGGER = logging.getLogger(__name__)


class JournalInUseError(Exception):
    """Another executor writes this journal."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one errand. `payload` is the errand as received, until it is reported."""

    payload: bytes
    deadline: datetime
    cancelled: bool = False
    began: datetime | None = None
    result: Result | None = None
    took_seconds: float = 0.0
    reported: str | None = None


class Journal:
    """The entries of one directory, in memory and on disk. One process may have it open."""

    def __init__(self, directory: Path, *, compact_bytes_min: int = COMPACT_BYTES_MIN) -> None:
        """Open it and read what is there. Raises `JournalInUseError`."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = directory / "journal"
        self._compact_bytes_min = compact_bytes_min
        self._lock = _take_lock(directory / "journal.lock")
        self.entries: dict[str, Entry] = {}
        self._buffer = bytearray()
        self._noted = self._synced = 0
        self._turn = asyncio.Lock()
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._bytes = self._read()

    def accept(self, key: str, payload: bytes, deadline: datetime) -> None:
        """Take an errand on."""
        self._note(ACCEPTED, key, payload, deadline)

    def cancel(self, key: str) -> None:
        """Note that an errand is to stop."""
        self._note(CANCELLED, key)

    def begin(self, key: str, now: datetime) -> None:
        """Note that from now on the effect may have happened."""
        self._note(BEGUN, key, now)

    def end(self, key: str, result: Result, took_seconds: float) -> None:
        """Note how it ended."""
        self._note(ENDED, key, type(result).__name__, asdict(result), took_seconds)

    def report(self, key: str, answer: str) -> None:
        """Note that the log knows the end, in whatever words it answered."""
        self._note(REPORTED, key, answer)

    async def sync(self) -> None:
        """Wait until all that was noted is on disk; many waits share one write.

        Raises `OSError` where the disk refuses; what was noted is written by a later call.
        """
        wanted = self._noted
        async with self._turn:
            if self._synced >= wanted:
                return
            content, noted = bytes(self._buffer), self._noted
            await _finish(asyncio.to_thread(self._write, content))
            del self._buffer[: len(content)]
            self._synced = noted
            if self._bytes > self._compact_bytes_min:
                await _finish(asyncio.to_thread(self._replace, _encode_all(self.entries)))
                self._compact_bytes_min = max(self._compact_bytes_min, 2 * self._bytes)

    def forget(self, now: datetime) -> None:
        """Leave out what has been reported, and whose errand would be refused by now."""
        for key, entry in list(self.entries.items()):
            if entry.reported is not None and now > entry.deadline + KEPT:
                del self.entries[key]

    def close(self) -> None:
        """Write what is left, and let another process have it."""
        if self._buffer:
            self._write(bytes(self._buffer))
            self._buffer.clear()
        os.close(self._file)
        os.close(self._lock)

    def _note(self, kind: str, key: str, *fields: Any) -> None:
        record = (kind, key, *fields)
        _apply(self.entries, record)
        self._buffer += encode_frame(record)
        self._noted += 1

    def _write(self, content: bytes) -> None:
        """Write at the end of what is known to be whole, over what a failed write left."""
        _write_whole(self._file, content, self._bytes)
        os.fdatasync(self._file)
        self._bytes += len(content)

    def _replace(self, content: bytes) -> None:
        """Put a new file in the old one's place, whole or not at all."""
        beside = self._path.with_suffix(".new")
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        file = os.open(beside, flags, 0o600)
        _write_whole(file, content, 0)
        os.fsync(file)
        beside.replace(self._path)
        _sync_directory(self._path.parent)
        os.close(self._file)
        self._file, self._bytes = file, len(content)

    def _read(self) -> int:
        """Read all whole records, and cut off what follows them. Gives the size in bytes."""
        content = self._path.read_bytes()
        end = self._read_records(content) if content.startswith(MAGIC) else 0
        if end < len(content):
            self._cut(content, end)
        if end == 0:
            os.pwrite(self._file, MAGIC, 0)
            end = len(MAGIC)
        os.fsync(self._file)
        _sync_directory(self._path.parent)
        return end

    def _read_records(self, content: bytes) -> int:
        end = len(MAGIC)
        for place, record in decode_frames(content, end):
            _apply(self.entries, record)
            end = place
        return end

    def _cut(self, content: bytes, end: int) -> None:
        """Cut a torn tail off. It is kept beside: it may be more than a torn tail."""
        _LOGGER.warning("%s: %d bytes after a crash were cut off", self._path, len(content) - end)
        self._path.with_suffix(".torn").write_bytes(content[end:])
        os.ftruncate(self._file, end)


def _apply(entries: dict[str, Entry], record: tuple[Any, ...] | list[Any]) -> None:
    """Fold one record into the entries. What speaks of a forgotten entry is left out."""
    kind, key, *fields = record
    if kind == ACCEPTED:
        entries.setdefault(key, Entry(payload=fields[0], deadline=fields[1]))
        return
    entry = entries.get(key)
    if entry is not None:
        entries[key] = _after(entry, kind, fields)


def _after(entry: Entry, kind: str, fields: list[Any]) -> Entry:
    match kind:
        case "cancelled":
            return replace(entry, cancelled=True)
        case "begun":
            return replace(entry, began=fields[0])
        case "ended":
            result = _RESULTS[fields[0]](**fields[1])
            return replace(entry, result=result, took_seconds=fields[2])
        case _:
            return replace(entry, reported=fields[0], payload=b"")


def _encode_all(entries: dict[str, Entry]) -> bytes:
    """Give the shortest file that says the same."""
    return MAGIC + b"".join(
        encode_frame(record) for key, entry in entries.items() for record in _records_of(key, entry)
    )


def _records_of(key: str, entry: Entry) -> list[tuple[Any, ...]]:
    records: list[tuple[Any, ...]] = [(ACCEPTED, key, entry.payload, entry.deadline)]
    if entry.cancelled:
        records.append((CANCELLED, key))
    if entry.began is not None:
        records.append((BEGUN, key, entry.began))
    if entry.result is not None:
        name, fields = type(entry.result).__name__, asdict(entry.result)
        records.append((ENDED, key, name, fields, entry.took_seconds))
    if entry.reported is not None:
        records.append((REPORTED, key, entry.reported))
    return records


def _take_lock(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        message = f"another executor writes the journal beside {path}"
        raise JournalInUseError(message) from None
    return lock


def _write_whole(file: int, content: bytes, place: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(file, view, place)
        view, place = view[written:], place + written


async def _finish(work: Awaitable[None]) -> None:
    """Await work in a thread to its end, also where the waiting is cancelled: it goes on anyway."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
