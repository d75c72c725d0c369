"""Which of Standfast's own processes run with a state directory, looked at and not touched."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from effects.recovery.child import Running
from effects.recovery.process import ChildProcesses
from events.base import Value
from events.build import build_id
from standfast.paths import write_private
from standfast.supervisor.processes import LOG, RAY, ROLES, WATCHDOG

if TYPE_CHECKING:
    from standfast.paths import StateDirectory

BEGINS_ANEW = "the log was restored, so this process ends and begins anew"
"""The last words of a process that ends for this reason; no trouble."""
SUPERVISOR = "supervisor"
_LOCKS = Path("/proc/locks")


class ProcessState(Value):
    """One of Standfast's processes: whether it runs, as what, and which build it said it is."""

    name: str
    state: Literal["running", "ended"]
    pid: int | None = None
    build: str = ""

    @property
    def says_build(self) -> bool:
        """Say whether it is a process of our own code, and not the log's server or Ray."""
        return self.name not in (LOG, RAY)


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
        _state(directory, SUPERVISOR, supervisor_pid(directory)),
        *[_state(directory, name, pid_of(children, name)) for name in (WATCHDOG, LOG, RAY, *ROLES)],
    ]


def pid_of(children: ChildProcesses, name: str) -> int | None:
    """Give the pid of a recorded child that runs, or None."""
    look = children.look(name)
    return look.pid if isinstance(look, Running) else None


def _state(directory: StateDirectory, name: str, pid: int | None) -> ProcessState:
    state: Literal["running", "ended"] = "running" if pid else "ended"
    return ProcessState(name=name, state=state, pid=pid, build=build_of(directory, name, pid))


def say_build(directory: StateDirectory, name: str) -> None:
    """Write down which build this process is: what was installed when it was started."""
    said = {"pid": os.getpid(), "build": build_id()}
    write_private(_build_path(directory, name), json.dumps(said))


def build_of(directory: StateDirectory, name: str, pid: int | None) -> str:
    """Give the build that a running process said it is, or "" where it has said nothing (yet)."""
    try:
        said = json.loads(_build_path(directory, name).read_bytes())
        return str(said["build"]) if said["pid"] == pid else ""
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def _build_path(directory: StateDirectory, name: str) -> Path:
    return directory.processes / f"{name}.build"
