"""Which of Standfast's own processes run with a state directory, looked at and not touched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from effects.recovery.child import Running
from effects.recovery.process import ChildProcesses
from events.base import Value
from standfast.supervisor.processes import LOG, RAY, ROLES

if TYPE_CHECKING:
    from standfast.paths import StateDirectory

SUPERVISOR = "supervisor"
_LOCKS = Path("/proc/locks")


class ProcessState(Value):
    """One of Standfast's processes: whether it runs, and as what."""

    name: str
    state: Literal["running", "ended"]
    pid: int | None = None


def supervisor_pid(directory: StateDirectory) -> int | None:
    """Give the pid of the supervisor that holds the state directory, or None.

    The kernel's list of locks is read: trying the lock could turn away one that starts just now.
    """
    try:
        place = directory.lock.stat()
        locks = _LOCKS.read_text()
    except FileNotFoundError:
        return None
    device = f"{os.major(place.st_dev):02x}:{os.minor(place.st_dev):02x}:{place.st_ino}"
    for line in locks.splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5] == device:
            return int(fields[4])
    return None


def processes_of(directory: StateDirectory) -> list[ProcessState]:
    """Give the supervisor and all that it starts itself; hosts are in Ray and not listed."""
    if not directory.processes.is_dir():
        return []
    children = ChildProcesses(directory.processes)
    return [
        _state(SUPERVISOR, supervisor_pid(directory)),
        *[_state(name, pid_of(children, name)) for name in (LOG, RAY, *ROLES)],
    ]


def pid_of(children: ChildProcesses, name: str) -> int | None:
    """Give the pid of a recorded child that runs, or None."""
    look = children.look(name)
    return look.pid if isinstance(look, Running) else None


def _state(name: str, pid: int | None) -> ProcessState:
    return ProcessState(name=name, state="running" if pid else "ended", pid=pid)
