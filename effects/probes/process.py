"""A process check is good while the process runs; a zombie has ended, whatever its pid says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from effects.probes.looking import Bad, Finding, Good, observed
from effects.recovery.child import Exited, NeverStarted, Running, Zombie
from effects.recovery.process import ChildProcesses
from effects.recovery.running import look_at

if TYPE_CHECKING:
    from effects.ports import Observed
    from events.service import ProcessCheck

PID_BYTES_MAX = 64


class ProcessProbe:
    """Looks processes up in the kernel's table."""

    def __init__(self, children: Path | None = None) -> None:
        """Find supervised children by their records in a directory."""
        self._children = ChildProcesses(children) if children is not None else None

    async def probe(self, check: ProcessCheck) -> Observed:
        """Look once; the kernel answers at once."""
        start = time.monotonic()
        finding = self._child(check.child) if check.child else _by_pid_file(check.pid_file)
        return observed(finding, time.monotonic() - start)

    def _child(self, name: str) -> Finding:
        if self._children is None:
            return Bad(f"the child {name} can't be found: this prober knows no children")
        match self._children.look(name):
            case Running():
                return Good()
            case Zombie(pid=pid):
                return Bad(f"{name} has ended (process {pid} is a zombie)")
            case NeverStarted():
                return Bad(f"{name} was never started")
            case Exited(code=None):
                return Bad(f"{name} has ended")
            case Exited(code=code):
                return Bad(f"{name} has ended with code {code}")


def _by_pid_file(path: str) -> Finding:
    if not path:
        return Bad("the check names neither a child nor a pid file")
    try:
        with Path(path).open("rb") as file:
            text = file.read(PID_BYTES_MAX).split(maxsplit=1)
    except OSError as error:
        return Bad(f"the pid file {path} can't be read: {error.strerror}")
    if not text or not text[0].isdigit() or not 0 < int(text[0]) < 2**31:
        return Bad(f"the pid file {path} holds no pid")
    return _by_pid(int(text[0]))


def _by_pid(pid: int) -> Finding:
    seen = look_at(pid)
    if seen is None:
        return Bad(f"process {pid} does not run")
    return Bad(f"process {pid} has ended (it is a zombie)") if seen.is_zombie else Good()
