"""A spool: records that are on disk before they count, in room that was taken beforehand.

A disk that has become full does not stop it. The file is records (see `events.frames`) and zeros.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from events.frames import decode_frames, encode_frame

if TYPE_CHECKING:
    from pathlib import Path

SPOOL = "prober.spool"
"""The name of the prober's, below the directory of emergencies."""
BYTES_MAX = 4 * 1024 * 1024


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
            self._blank(self._end, len(content))

    def append(self, *records: Any) -> None:
        """Write records together. Raises `SpoolFullError`, or `OSError` where the disk refuses."""
        content = b"".join(encode_frame(record) for record in records)
        if self._end + len(content) > self._bytes_max:
            message = f"{len(self.records)} records fill it"
            raise SpoolFullError(message)
        os.pwrite(self._file, content, self._end)
        os.fdatasync(self._file)
        self._end += len(content)
        self.records.extend(records)

    def clear(self) -> None:
        """Forget all records; the room stays taken."""
        self._blank(0, self._end)
        self._end = 0
        self.records.clear()

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    def _blank(self, start: int, end: int) -> None:
        """Write zeros; the first of them alone end what is read."""
        os.pwrite(self._file, bytes(end - start), start)
        os.fdatasync(self._file)


def read_spool(path: Path) -> list[Any]:
    """Give the whole records of a spool that another process writes; none where it is missing."""
    try:
        return [record for _, record in decode_frames(path.read_bytes())]
    except FileNotFoundError:
        return []
