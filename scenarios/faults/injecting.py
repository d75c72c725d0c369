"""The injector at work: faults drawn one after the other, some at once, each healed in its time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenarios.faults.quiet import wait_recovered
from scenarios.faults.schedule import Schedule

if TYPE_CHECKING:
    from scenarios.faults.journal import Journal, JournalEntry
    from scenarios.faults.schedule import Drawn
    from scenarios.faults.stand import Stand

AT_ONCE_MAX = 3
RETRY_SECONDS = 0.2
BEGUN_SHARE_MAX = 2
"""So many times the faults that are asked for are begun at most, those without effect included."""
OUTAGES_TRIED = 5
CALM_EVERY = 30
"""After so many faults there is a calm in which one service fails for long."""


@dataclass(slots=True)
class Injector:
    """Does so many faults to a stand within some time. Every one is healed, whatever happens."""

    stand: Stand
    journal: Journal
    schedule: Schedule
    _active: dict[asyncio.Task[None], frozenset[str]] = field(default_factory=dict)
    _begun: int = 0
    _effective: int = 0
    _idle: int = 0

    async def run(self, faults: int, seconds: float) -> None:
        """Inject until so many had an effect; where targets are long down, it takes longer.

        After each thirty, and at the end of fewer, comes a calm.
        """
        mean_seconds = seconds / faults
        try:
            for done in range(0, faults, CALM_EVERY):
                upto = min(faults, done + CALM_EVERY)
                await self._inject(upto, mean_seconds)
                if upto % CALM_EVERY == 0 or faults < CALM_EVERY:
                    await self._fail_in_calm()
        finally:
            for task in self._active:
                task.cancel()
            await asyncio.gather(*self._active, return_exceptions=True)

    async def _inject(self, upto: int, mean_seconds: float) -> None:
        """Inject until `upto` faults had an effect, or far more were begun."""
        due = time.monotonic()
        while self._effective < upto and self._begun < BEGUN_SHARE_MAX * upto:
            if self._begun - self._idle >= upto:  # they are enough, if all have an effect
                await self._wait(len(self._active) - 1)
                continue
            due += self.schedule.pause(mean_seconds)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._inject_one()
        await self._wait(0)

    async def _fail_in_calm(self) -> None:
        """Let all recover, and then one service fail for longer than may go unnoticed."""
        await wait_recovered(self.stand, self.journal.injected)
        for _ in range(OUTAGES_TRIED):
            drawn = self.schedule.outage()
            begun = await drawn.fault.begin(self.stand)
            if begun is not None:
                await self._in_force(drawn, self.journal.begin(drawn.fault, begun))
                return

    async def _inject_one(self) -> None:
        """Draw until one can be begun: its parts are free, and its target is there."""
        while True:
            await self._wait(AT_ONCE_MAX - 1)
            drawn = self.schedule.draw()
            busy = frozenset[str]().union(*self._active.values())
            if not (drawn.fault.touches & busy) and await self._begin(drawn):
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _begin(self, drawn: Drawn) -> bool:
        """Begin a fault; false where its target is not there. It is healed in its time."""
        begun = await drawn.fault.begin(self.stand)
        if begun is None:
            return False
        entry = self.journal.begin(drawn.fault, begun)
        self._begun += 1
        task = asyncio.create_task(self._count(drawn, entry))
        self._active[task] = drawn.fault.touches
        task.add_done_callback(lambda done: self._active.pop(done, None))
        return True

    async def _count(self, drawn: Drawn, entry: JournalEntry) -> None:
        had_effect = await self._in_force(drawn, entry)
        self._effective += had_effect
        self._idle += not had_effect

    async def _in_force(self, drawn: Drawn, entry: JournalEntry) -> bool:
        """Let a fault last, and heal it, whatever happens; says whether it did anything."""
        try:
            await asyncio.sleep(drawn.seconds)
        finally:
            healed = await drawn.fault.heal(self.stand)
            self.journal.heal(entry, healed)
        return bool(healed.effect)

    async def _wait(self, at_most: int) -> None:
        while len(self._active) > at_most:
            await asyncio.wait(self._active, return_when=asyncio.FIRST_COMPLETED)
