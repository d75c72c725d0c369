"""How many commands are in flight, told by each worker in a few shared bytes."""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_COUNTS = struct.Struct("<QQ")
PATTERN = "in-flight-*"


class InFlight:
    """One worker's counts: what it invoked, and what of it returned."""

    def __init__(self, directory: Path, worker: str) -> None:
        """Make the worker's file."""
        path = directory / PATTERN.replace("*", worker)
        path.write_bytes(_COUNTS.pack(0, 0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _COUNTS.size)
        self.invoked = self.returned = 0

    def invoke(self) -> None:
        """Count a command that is sent now."""
        self.invoked += 1
        self._share()

    def come_back(self) -> None:
        """Count one that is answered, or given up."""
        self.returned += 1
        self._share()

    @property
    def count(self) -> int:
        """How many are in flight."""
        return self.invoked - self.returned

    def _share(self) -> None:
        _COUNTS.pack_into(self._shared, 0, self.invoked, self.returned)


def counts_in(directory: Path) -> tuple[int, int]:
    """Give how many commands all workers have invoked, and how many of them are in flight."""
    counts = [_COUNTS.unpack(path.read_bytes()) for path in directory.glob(PATTERN)]
    invoked = sum(count[0] for count in counts)
    return invoked, invoked - sum(count[1] for count in counts)
