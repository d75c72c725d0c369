"""The injector at work: faults drawn one after the other, some at once, each healed in its time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenarios.faults.schedule import Schedule

if TYPE_CHECKING:
    from scenarios.faults.journal import Injected, Journal
    from scenarios.faults.schedule import Drawn
    from scenarios.faults.stand import Stand

AT_ONCE_MAX = 3
RETRY_SECONDS = 0.2


@dataclass(slots=True)
class Injector:
    """Does so many faults to a stand within some time. Every one is healed, whatever happens."""

    stand: Stand
    journal: Journal
    schedule: Schedule
    _active: dict[asyncio.Task[None], frozenset[str]] = field(default_factory=dict)

    async def run(self, faults: int, seconds: float) -> None:
        """Inject until all are done; where targets are long down, it takes longer."""
        began, mean_seconds = time.monotonic(), seconds / faults
        try:
            due = began
            for _ in range(faults):
                due += self.schedule.pause(mean_seconds)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await self._inject_one()
            await self._wait(0)
        finally:
            for task in self._active:
                task.cancel()
            await asyncio.gather(*self._active, return_exceptions=True)

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
        _, before = self.stand.commands()
        processes = await drawn.fault.begin(self.stand)
        if processes is None:
            return False
        in_flight = max(before, self.stand.commands()[1])
        entry = self.journal.begin(drawn.fault, processes, in_flight)
        task = asyncio.create_task(self._in_force(drawn, entry))
        self._active[task] = drawn.fault.touches
        task.add_done_callback(lambda done: self._active.pop(done, None))
        return True

    async def _in_force(self, drawn: Drawn, entry: Injected) -> None:
        try:
            await asyncio.sleep(drawn.seconds)
        finally:
            self.journal.heal(entry, await drawn.fault.heal(self.stand))

    async def _wait(self, at_most: int) -> None:
        while len(self._active) > at_most:
            await asyncio.wait(self._active, return_when=asyncio.FIRST_COMPLETED)
