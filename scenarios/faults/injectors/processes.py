"""Processes are killed, frozen, or given a double, at any moment or at the worst one."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenarios.faults.injectors.base import Begun, Healed
from scenarios.faults.kept import RECORDS
from scenarios.faults.platform import ROOT
from scenarios.faults.proxy import Loss, Sight
from scenarios.faults.recorded import record, remember

if TYPE_CHECKING:
    from scenarios.faults.recorded import Recorded
    from scenarios.faults.stand import Stand

STRIKE_SECONDS_MAX = 3.0
JOIN_SECONDS_MAX = 20.0
JOIN_LOOK_SECONDS = 0.05
INTENDED = b"standfast.effect.intended"


@dataclass(slots=True)
class _OfProcess:
    """What all of these have in common: whose process they are about."""

    target: str

    @property
    def touches(self) -> frozenset[str]:
        """The process."""
        return frozenset({self.target})


@dataclass(slots=True)
class Kill(_OfProcess):
    """Kill -9; whoever keeps the process starts it again."""

    name: str = "kill"

    async def begin(self, stand: Stand) -> Begun | None:
        """Kill it."""
        found, in_flight = await stand.find(self.target), stand.in_flight
        return Begun(in_flight, (found,)) if found is not None and found.kill() else None

    async def heal(self, stand: Stand) -> Healed:
        """Nothing is left to undo."""
        del stand
        return Healed(1)


@dataclass(slots=True)
class Freeze(_OfProcess):
    """SIGSTOP, and SIGCONT later: it knows nothing of the time that has passed."""

    name: str = "freeze"
    _frozen: Recorded | None = None

    async def begin(self, stand: Stand) -> Begun | None:
        """Freeze it."""
        found, in_flight = await stand.find(self.target), stand.in_flight
        if found is None or not found.send(signal.SIGSTOP):
            return None
        self._frozen = found
        return Begun(in_flight, (found,))

    async def heal(self, stand: Stand) -> Healed:
        """Let it go on."""
        del stand
        went_on = self._frozen is not None and self._frozen.send(signal.SIGCONT)
        return Healed(1, "" if went_on else "it ended while it was frozen")


@dataclass(slots=True)
class Strike(_OfProcess):
    """Hit a process in the act: just when a publish of it has passed, and its answer is lost.

    `how` is SIGKILL, or SIGSTOP until it is healed. `needle` is what the publish holds. Where
    nothing of the kind is published for a while it never strikes, and has no effect.
    """

    how: signal.Signals
    prefix: str = "sf."
    needle: bytes = b""
    _hit: Recorded | None = None
    _in_flight: int = 0
    _passed: asyncio.Event = field(default_factory=asyncio.Event)
    _losses: list[Loss] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What is done, and when."""
        act = "an intent" if self.needle == INTENDED else f"a publish to {self.prefix}"
        return f"{'kill' if self.how is signal.SIGKILL else 'freeze'} across {act}"

    async def begin(self, stand: Stand) -> Begun | None:
        """Wait a moment for the act, and strike."""
        found = await stand.find(self.target)
        if found is None:
            return None
        self._lose(stand, Loss(self.target, self.prefix, left=1, needle=self.needle))

        def strike(_frame: object) -> None:
            if not self._passed.is_set() and found.send(self.how):
                self._hit, self._in_flight = found, stand.in_flight
                self._lose(stand, Loss(self.target, self.prefix, left=None))
            self._passed.set()

        sight = Sight(self.target, self.prefix, self.needle, strike)
        stand.proxy.add(sight)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STRIKE_SECONDS_MAX):
                await self._passed.wait()
        stand.proxy.remove(sight)
        if self._hit is None:
            return Begun(stand.in_flight)
        return Begun(self._in_flight, (found,))

    def _lose(self, stand: Stand, loss: Loss) -> None:
        """From the act on answers are lost, that of the act first of all."""
        self._losses.append(loss)
        stand.proxy.add(loss)

    async def heal(self, stand: Stand) -> Healed:
        """Let it go on where it was frozen; answers reach it again."""
        for loss in self._losses:
            stand.proxy.remove(loss)
        if self._hit is None:
            return Healed(0, "it never struck")
        self._hit.send(signal.SIGCONT)
        return Healed(1, f"{sum(loss.lost for loss in self._losses)} answers lost")


@dataclass(slots=True)
class Double(_OfProcess):
    """A second host of the same name beside the first: two writers for all of its buckets."""

    name: str = "double"
    _process: subprocess.Popen[bytes] | None = None
    _joined: bool = False

    async def begin(self, stand: Stand) -> Begun | None:
        """Start it, over the same runtime file, and wait until it has joined."""
        before = stand.proxy.clients().count(self.target)
        runtime = stand.state / "runtime.json"
        command = [sys.executable, "-m", "scenarios.host_process", str(runtime), self.target]
        with (stand.home / "doubles.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  (it returns at once)
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        found = record(f"double of {self.target}", self._process.pid)
        if found is not None:
            remember(stand.home / RECORDS, found)
        until = time.monotonic() + JOIN_SECONDS_MAX
        while not self._joined and time.monotonic() < until:
            await asyncio.sleep(JOIN_LOOK_SECONDS)
            self._joined = stand.proxy.clients().count(self.target) > max(1, before)
        return None if found is None else Begun(stand.in_flight, (found,))

    async def heal(self, stand: Stand) -> Healed:
        """Kill -9 it: it has no time to give anything back. It did nothing if it never joined."""
        del stand
        assert self._process is not None, "it was begun"
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.to_thread(self._process.wait)
        return Healed(int(self._joined), "" if self._joined else "it never joined")
