"""When each process was last heard of, and how long its event loop lagged then."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from events.telemetry import Batch

PROCESSES_MAX = 1_000
LAG = "process_loop_lag_seconds"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One process: its build, when it was last heard of, and its newest figures by name."""

    process: str
    build: str
    time: datetime
    lagged: bool
    figures: dict[str, float]

    @property
    def lag_seconds(self) -> float | None:
        """How long its event loop lagged, where it said so."""
        return self.figures.get(LAG)


class HeartbeatWindow:
    """The last heartbeat of each process. Safe to read from any thread."""

    def __init__(self, processes_max: int = PROCESSES_MAX) -> None:
        """Hold none yet; the process that was silent longest makes room for a new one."""
        self._processes_max = processes_max
        self._heard: OrderedDict[str, Heartbeat] = OrderedDict()
        self._lock = Lock()

    def add(self, batch: Batch) -> None:
        """Take in a process's telemetry of itself."""
        figures: dict[str, float] = {}
        time = batch.start
        for row in batch.rows():
            figures[dict(row.labels).get("__name__", "")] = row.value
            time = max(time, row.time)
        vantage = batch.vantage
        heard = Heartbeat(vantage.producer, vantage.build, time, vantage.lagged, figures)
        with self._lock:
            self._heard[vantage.producer] = heard
            self._heard.move_to_end(vantage.producer)
            while len(self._heard) > self._processes_max:
                self._heard.popitem(last=False)

    def all(self) -> list[Heartbeat]:
        """Give the last heartbeat of every process, by name."""
        with self._lock:
            return sorted(self._heard.values(), key=lambda heard: heard.process)
