"""The injector's journal: each fault with the commands in flight as it began, and its end."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scenarios.faults.lines import JsonLines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scenarios.faults.injectors.base import Begun, Fault, Healed


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One fault as it was done. `began` and `ended` are monotonic seconds, `time` wall clock."""

    number: int
    fault: str
    target: str
    pids: tuple[int, ...]
    began: float
    time: str
    in_flight: int
    ended: float | None = None
    effect: int = 1
    detail: str = ""

    def as_text(self) -> str:
        """Say in a line what was done."""
        pids = f" (pid {', '.join(map(str, self.pids))})" if self.pids else ""
        return f"{self.number:4d}  {self.in_flight:4d} in flight  {self.fault}: {self.target}{pids}"


class Journal:
    """Writes `faults.jsonl`, and tells each fault as it begins."""

    def __init__(self, path: Path, told: Callable[[JournalEntry], None]) -> None:
        """Write to a file."""
        self._lines = JsonLines(path)
        self._told = told
        self.injected: list[JournalEntry] = []

    def begin(self, fault: Fault, begun: Begun) -> JournalEntry:
        """Write down that a fault is in force."""
        entry = JournalEntry(
            number=len(self.injected) + 1,
            fault=fault.name,
            target=fault.target,
            pids=tuple(process.pid for process in begun.processes),
            began=time.monotonic(),
            time=datetime.now(UTC).isoformat(),
            in_flight=begun.in_flight,
        )
        self.injected.append(entry)
        self._lines.write(asdict(entry))
        self._told(entry)
        return entry

    def heal(self, entry: JournalEntry, healed: Healed) -> None:
        """Write down that it is over, and what it did."""
        ended = replace(entry, ended=time.monotonic(), effect=healed.effect, detail=healed.detail)
        self.injected[entry.number - 1] = ended
        self._lines.write(asdict(ended))

    def close(self) -> None:
        """Close the file."""
        self._lines.close()
