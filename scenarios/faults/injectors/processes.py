"""Processes are killed, frozen, or given a double, at any moment or at the worst one."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenarios.faults.platform import ROOT
from scenarios.faults.proxy import Loss, Sight
from scenarios.faults.recorded import Recorded, record

if TYPE_CHECKING:
    from scenarios.faults.stand import Stand

STRIKE_SECONDS_MAX = 3.0
INTENDED = b"standfast.effect.intended"


@dataclass(slots=True)
class Kill:
    """Kill -9; whoever keeps the process starts it again."""

    target: str
    name: str = "kill"

    @property
    def touches(self) -> frozenset[str]:
        """The process."""
        return frozenset({self.target})

    async def begin(self, stand: Stand) -> list[Recorded] | None:
        """Kill it."""
        found = await stand.find(self.target)
        return [found] if found is not None and found.kill() else None

    async def heal(self, stand: Stand) -> str:
        """Nothing is left to undo."""
        del stand
        return ""


@dataclass(slots=True)
class Freeze:
    """SIGSTOP, and SIGCONT later: it knows nothing of the time that has passed."""

    target: str
    name: str = "freeze"
    _frozen: Recorded | None = None

    @property
    def touches(self) -> frozenset[str]:
        """The process."""
        return frozenset({self.target})

    async def begin(self, stand: Stand) -> list[Recorded] | None:
        """Freeze it."""
        found = await stand.find(self.target)
        if found is None or not found.send(signal.SIGSTOP):
            return None
        self._frozen = found
        return [found]

    async def heal(self, stand: Stand) -> str:
        """Let it go on."""
        del stand
        went_on = self._frozen is not None and self._frozen.send(signal.SIGCONT)
        return "" if went_on else "it ended while it was frozen"


@dataclass(slots=True)
class Strike:
    """Hit a process in the act: just when a publish of it has passed, and its answer is lost.

    `how` is SIGKILL, or SIGSTOP until it is healed. `needle` is what the publish holds.
    """

    target: str
    how: signal.Signals
    prefix: str = "sf."
    needle: bytes = b""
    _hit: Recorded | None = None
    _passed: asyncio.Event = field(default_factory=asyncio.Event)
    _loss: Loss | None = None

    @property
    def name(self) -> str:
        """What is done, and when."""
        act = "an intent" if self.needle == INTENDED else f"a publish to {self.prefix}"
        return f"{'kill' if self.how is signal.SIGKILL else 'freeze'} across {act}"

    @property
    def touches(self) -> frozenset[str]:
        """The process."""
        return frozenset({self.target})

    async def begin(self, stand: Stand) -> list[Recorded] | None:
        """Wait a moment for the act, and strike."""
        found = await stand.find(self.target)
        if found is None:
            return None
        self._loss = Loss(self.target, self.prefix, left=None)

        def strike(_frame: object) -> None:
            if not self._passed.is_set() and found.send(self.how):
                self._hit = found
            self._passed.set()

        sight = Sight(self.target, self.prefix, self.needle, strike)
        stand.proxy.add(sight)
        stand.proxy.add(self._loss)
        try:
            async with asyncio.timeout(STRIKE_SECONDS_MAX):
                await self._passed.wait()
        except TimeoutError:
            pass
        finally:
            stand.proxy.remove(sight)
        if self._hit is None:
            stand.proxy.remove(self._loss)
        return [found] if self._hit is not None else None

    async def heal(self, stand: Stand) -> str:
        """Let it go on where it was frozen; answers reach it again."""
        assert self._loss is not None, "it was begun"
        stand.proxy.remove(self._loss)
        if self._hit is not None:
            self._hit.send(signal.SIGCONT)
        return f"{self._loss.lost} answers lost"


@dataclass(slots=True)
class Double:
    """A second host of the same name beside the first: two writers for all of its buckets."""

    target: str
    name: str = "double"
    _process: subprocess.Popen[bytes] | None = None

    @property
    def touches(self) -> frozenset[str]:
        """The host, and the name under which both speak."""
        return frozenset({self.target})

    async def begin(self, stand: Stand) -> list[Recorded] | None:
        """Start it, over the same runtime file."""
        runtime = stand.state / "runtime.json"
        command = [sys.executable, "-m", "standfast.bench.host_process", str(runtime), self.target]
        with (stand.home / "doubles.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  (it returns at once)
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        found = record(f"double of {self.target}", self._process.pid)
        return None if found is None else [found]

    async def heal(self, stand: Stand) -> str:
        """Kill -9 it: it has no time to give anything back."""
        del stand
        assert self._process is not None, "it was begun"
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.to_thread(self._process.wait)
        return ""
