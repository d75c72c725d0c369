"""Which of Standfast's own processes are gone or stopped, and since when that is seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

from effects.clock import SystemClock
from standfast.running import SUPERVISOR, processes_of
from standfast.supervisor.processes import LOG, WATCHDOG

if TYPE_CHECKING:
    from datetime import datetime

    from effects.ports import Clock
    from standfast.paths import StateDirectory
    from standfast.running import ProcessState


@dataclass(frozen=True, slots=True)
class Absence:
    """A process that does not work: it is gone, or it is stopped (as by SIGSTOP).

    `since` is for people; `since_seconds` is of the monotonic clock, which does not step.
    """

    name: str
    is_stopped: bool
    since: datetime
    since_seconds: float

    def __str__(self) -> str:
        """Say it in words."""
        word = "stopped" if self.is_stopped else "gone"
        return f"{self.name} ({word} since {self.since:%H:%M:%S})"


@dataclass(slots=True)
class Sight:
    """Looks at the records of a state directory. `log_is_ours` is false where it is a cluster."""

    directory: StateDirectory
    log_is_ours: bool = True
    clock: Clock = field(default_factory=SystemClock)
    absent: dict[str, Absence] = field(default_factory=dict)
    present: tuple[str, ...] = ()

    def look(self) -> None:
        """Look once; who is absent keeps the moment at which that was first seen."""
        seen = [one for one in processes_of(self.directory) if self._counts(one.name)]
        before, self.absent = self.absent, {}
        now, now_seconds = self.clock.now(), self.clock.monotonic_seconds()
        for one in seen:
            is_stopped = _is_stopped(one)
            if is_stopped or one.state == "ended":
                known = before.get(one.name)
                is_same = known is not None and known.is_stopped == is_stopped
                found = Absence(one.name, is_stopped, now, now_seconds)
                self.absent[one.name] = known if known is not None and is_same else found
        self.present = tuple(one.name for one in seen if one.name not in self.absent)

    def absent_for(self, seconds: float) -> list[Absence]:
        """Give who has been absent for at least so long."""
        since = self.clock.monotonic_seconds() - seconds
        return [one for one in self.absent.values() if one.since_seconds <= since]

    def _counts(self, name: str) -> bool:
        return name != WATCHDOG and (self.log_is_ours or name != LOG)


def supervised_seconds(directory: StateDirectory, now: datetime) -> float | None:
    """Give how long the supervisor has been running; None where there is none."""
    pid = next((one.pid for one in processes_of(directory) if one.name == SUPERVISOR), None)
    try:
        return None if pid is None else now.timestamp() - psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def _is_stopped(process: ProcessState) -> bool:
    try:
        return bool(process.pid and psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False
