"""A spool: records that are on disk before they count, in room that was taken beforehand.

A disk that has become full does not stop it. The file is records (see `events.frames`) and zeros.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING, Any

from events.frames import decode_frames, encode_frame

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SPOOL = "prober.spool"
"""The name of the prober's, below the directory of emergencies."""
BYTES_MAX = 4 * 1024 * 1024


FRESH_NANOSECONDS = 100_000_000
"""Longer than the tick of any kernel's clock, by which it stamps files."""


class SpoolFullError(Exception):
    """The spool holds as much as it may; nothing was written."""


class Spool:
    """The records of one file, for its one writer. Reading needs no `Spool`: see `read_spool`."""

    def __init__(self, path: Path, bytes_max: int = BYTES_MAX) -> None:
        """Open it, take its room, and read what is there; a torn end is forgotten."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._bytes_max = bytes_max
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):  # a file system that can't, or a disk that is full
            os.posix_fallocate(self._file, 0, bytes_max)
        content = path.read_bytes()
        found = list(decode_frames(content))
        self.records = [record for _, record in found]
        self._end = found[-1][0] if found else 0
        if any(content[self._end :]):
            self._write(bytes(len(content) - self._end), self._end)

    def has_room_for(self, *records: Any, bytes_max: int | None = None) -> bool:
        """Say whether records fit after those that are there, or end before `bytes_max`."""
        most = self._bytes_max if bytes_max is None else bytes_max
        return self._end + len(_encoded(records)) <= most

    def append(self, *records: Any) -> None:
        """Write records together. Raises `SpoolFullError`, or `OSError` where the disk refuses."""
        content = _encoded(records)
        if self._end + len(content) > self._bytes_max:
            message = f"{len(self.records)} records fill it"
            raise SpoolFullError(message)
        self._write(content, self._end)
        self._end += len(content)
        self.records.extend(records)

    def rewrite(self, *records: Any) -> None:
        """Write records, at once, in the place of all that are there. Raises as `append` does."""
        content = _encoded(records)
        if len(content) > self._bytes_max:
            message = f"{len(records)} records are more than fit"
            raise SpoolFullError(message)
        self._write(content.ljust(self._end, b"\0"), 0)
        self._end = len(content)
        self.records = list(records)

    def clear(self) -> None:
        """Forget all records; the room stays taken."""
        self.rewrite()

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    def _write(self, content: bytes, place: int) -> None:
        if os.pwrite(self._file, content, place) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fdatasync(self._file)


def _encoded(records: Iterable[Any]) -> bytes:
    return b"".join(encode_frame(record) for record in records)


def read_spool(path: Path) -> list[Any]:
    """Give the whole records of a spool that another process writes; none where it is missing."""
    try:
        return [record for _, record in decode_frames(path.read_bytes())]
    except FileNotFoundError:
        return []


def stamp_of(path: Path) -> int | None:
    """Give what changes whenever a spool is written; 0 where there is none.

    None of one that was written just now: a second write may get the same time, so that it has to
    be read again.
    """
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        return 0
    return stamp if stamp < time.time_ns() - FRESH_NANOSECONDS else None
