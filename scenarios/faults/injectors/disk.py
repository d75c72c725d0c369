"""The disk refuses: every fsync of a process fails, as on a device that is dying."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios.faults.injectors.base import Begun, Healed

if TYPE_CHECKING:
    from scenarios.faults.recorded import Recorded
    from scenarios.faults.stand import Stand

SYNCS_FAIL = "fsync fails"
CALLS = "fsync,fdatasync"
INJECTED = b"(INJECTED)"
ATTACH_SECONDS, DETACH_SECONDS = 5.0, 10.0
LOOK_SECONDS = 0.02
PTRACE_SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A tracer that lets each fsync of a process fail, and where it writes down what failed."""

    tracer: subprocess.Popen[bytes]
    output: Path

    @property
    def failed(self) -> int:
        """How many calls have failed."""
        return self.output.read_bytes().count(INJECTED)

    async def end(self) -> None:
        """Let syncs succeed again."""
        self.tracer.send_signal(signal.SIGINT)
        try:
            await asyncio.to_thread(self.tracer.wait, DETACH_SECONDS)
        except subprocess.TimeoutExpired:
            self.tracer.kill()
            await asyncio.to_thread(self.tracer.wait)


async def refuse_syncs(pid: int, output: Path) -> Refusal | None:
    """Let every fsync of a process fail with EIO from now on; None where strace can't."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    options = ["-e", f"trace={CALLS}", "-e", f"inject={CALLS}:error=EIO", "-o", str(output)]
    tracer = subprocess.Popen(  # noqa: ASYNC220  (it returns at once)
        [strace, "-f", "-q", "-p", str(pid), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    refusal = Refusal(tracer, output)
    if await _attached(pid, tracer):
        return refusal
    await refusal.end()
    return None


async def tracing_trouble(home: Path) -> str:
    """Try it on a process of our own, and say why it can't be done; nothing where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        refusal = await refuse_syncs(sleeper.pid, home / "trial.strace")
    finally:
        sleeper.kill()
        await sleeper.wait()
    if refusal is None:
        return f"strace may not trace our processes{_why_not()}"
    await refusal.end()
    return ""


def _why_not() -> str:
    """Name the setting that keeps one process from tracing another, where it does."""
    try:
        scope = int(PTRACE_SCOPE.read_text())
    except (OSError, ValueError):
        return ""
    return f" (kernel.yama.ptrace_scope is {scope}: run as root, or set it to 0)" if scope else ""


async def _attached(pid: int, tracer: subprocess.Popen[bytes]) -> bool:
    """Wait until a process says that it is traced by this tracer."""
    until = time.monotonic() + ATTACH_SECONDS
    while time.monotonic() < until and tracer.poll() is None:
        if _tracer_of(pid) == tracer.pid:
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False


def _tracer_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("TracerPid:"))


@dataclass(slots=True)
class RefuseSyncs:
    """Every fsync of a process fails. A log that met this takes nothing more until it is killed."""

    target: str
    name: str = SYNCS_FAIL
    _refusal: Refusal | None = None
    _hit: Recorded | None = None

    @property
    def touches(self) -> frozenset[str]:
        """The process."""
        return frozenset({self.target})

    async def begin(self, stand: Stand) -> Begun | None:
        """Begin to refuse; None also where the tracer could not take hold of it."""
        self._hit = await stand.find(self.target)
        if self._hit is None:
            return None
        self._refusal = await refuse_syncs(self._hit.pid, stand.home / f"{self.target}.strace")
        return None if self._refusal is None else Begun(stand.in_flight, (self._hit,))

    async def heal(self, stand: Stand) -> Healed:
        """Let it sync; a log starts anew, as its operator would see to."""
        del stand
        assert self._refusal is not None, "it was begun"
        await self._refusal.end()
        if self.target == "log" and self._hit is not None:
            self._hit.kill()
        return Healed(self._refusal.failed, f"{self._refusal.failed} calls failed")
