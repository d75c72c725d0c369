"""The disk refuses: every fsync of a process fails, as on a device that is dying."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios.faults.recorded import Recorded, record

if TYPE_CHECKING:
    from scenarios.faults.stand import Stand

CALLS = "fsync,fdatasync"
DETACH_SECONDS = 10.0


def refuse_syncs(pid: int) -> subprocess.Popen[bytes] | None:
    """Let every fsync of a process fail with EIO until the tracer is interrupted; needs strace."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    options = ["-e", f"trace={CALLS}", "-e", f"inject={CALLS}:error=EIO", "-o", "/dev/null"]
    return subprocess.Popen(
        [strace, "-f", "-q", "-p", str(pid), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def let_sync(tracer: subprocess.Popen[bytes]) -> None:
    """End a tracer: syncs succeed again."""
    tracer.send_signal(signal.SIGINT)
    try:
        await asyncio.to_thread(tracer.wait, DETACH_SECONDS)
    except subprocess.TimeoutExpired:
        tracer.kill()
        await asyncio.to_thread(tracer.wait)


@dataclass(slots=True)
class RefuseSyncs:
    """Every fsync of a process fails. A log that met this takes nothing more until it is killed."""

    target: str
    name: str = "fsync fails"
    _tracer: subprocess.Popen[bytes] | None = None
    _hit: Recorded | None = None

    @property
    def touches(self) -> frozenset[str]:
        """The process."""
        return frozenset({self.target})

    async def begin(self, stand: Stand) -> list[Recorded] | None:
        """Begin to refuse."""
        self._hit = await stand.find(self.target)
        self._tracer = None if self._hit is None else refuse_syncs(self._hit.pid)
        if self._hit is None or self._tracer is None or record("strace", self._tracer.pid) is None:
            return None
        return [self._hit]

    async def heal(self, stand: Stand) -> str:
        """Let it sync; a log starts anew, as its operator would see to."""
        del stand
        assert self._tracer is not None, "it was begun"
        await let_sync(self._tracer)
        if self.target == "log" and self._hit is not None:
            self._hit.kill()
        return ""
