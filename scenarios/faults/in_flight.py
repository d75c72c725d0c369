"""How many commands are in flight, told by each worker in a few shared bytes."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_COUNTS = struct.Struct("<QQQ")
PATTERN = "in-flight-*"


@dataclass(frozen=True, slots=True)
class Counts:
    """What all workers have invoked, what of it is in flight, and what they skipped."""

    invoked: int
    in_flight: int
    skipped: int


class InFlight:
    """One worker's counts: what it invoked, what of it returned, and what it did not send.

    A worker that takes the place of one that was killed goes on with its counts; what that one
    had in flight never returns.
    """

    def __init__(self, directory: Path, worker: str) -> None:
        """Make the worker's file, or go on with it."""
        path = directory / PATTERN.replace("*", worker)
        before = _COUNTS.unpack(path.read_bytes()) if path.exists() else (0, 0, 0)
        self.invoked: int = before[0]
        self.returned: int = before[0]
        self.skipped: int = before[2]
        path.write_bytes(_COUNTS.pack(self.invoked, self.returned, self.skipped))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _COUNTS.size)

    def invoke(self) -> None:
        """Count a command that is sent now."""
        self.invoked += 1
        self._share()

    def come_back(self) -> None:
        """Count one that is answered, or given up."""
        self.returned += 1
        self._share()

    def skip(self) -> None:
        """Count one that is not sent, since too many are in flight."""
        self.skipped += 1
        self._share()

    @property
    def count(self) -> int:
        """How many are in flight."""
        return self.invoked - self.returned

    def _share(self) -> None:
        _COUNTS.pack_into(self._shared, 0, self.invoked, self.returned, self.skipped)


def counts_in(directory: Path) -> Counts:
    """Give the counts of all workers together."""
    counts = [_COUNTS.unpack(path.read_bytes()) for path in directory.glob(PATTERN)]
    invoked, returned, skipped = (sum(count[place] for count in counts) for place in range(3))
    return Counts(invoked, invoked - returned, skipped)
