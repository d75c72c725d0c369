"""Timers: every entity's next due time, armed eagerly, and true to the wall clock when it steps."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from events.address import EntityAddress

LOOK_SECONDS = 1.0
STEP_SECONDS = 1.0


@dataclass(slots=True)
class Timers:
    """Calls `fire(address)` once for each due time that is reached.

    Due times are wall-clock times; between looks at the wall clock (every `look_seconds` at
    least) the monotonic clock runs. A
    step of the wall clock of more than a second is reported by `stepped(offset_seconds)`.
    """

    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    fire: Callable[[EntityAddress], None]
    stepped: Callable[[float], None]
    look_seconds: float = LOOK_SECONDS
    _due: dict[EntityAddress, datetime] = field(default_factory=dict)
    _heap: list[tuple[datetime, EntityAddress]] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def arm(self, address: EntityAddress, due: datetime | None) -> None:
        """Set an entity's next due time, or none."""
        if due is None:
            self._due.pop(address, None)
            return
        if self._due.get(address) == due:
            return
        self._due[address] = due
        heapq.heappush(self._heap, (due, address))
        self._wake.set()

    def due(self, address: EntityAddress) -> datetime | None:
        """Give an entity's next due time."""
        return self._due.get(address)

    def forget(self, address: EntityAddress) -> None:
        """Drop an entity that is hosted elsewhere now."""
        self._due.pop(address, None)

    async def run(self) -> None:
        """Fire what is due, for as long as the host lives."""
        wall, steady = self.clock(), self.monotonic()
        while True:
            self.fire_due(self.clock())
            self._wake.clear()
            try:
                async with asyncio.timeout(self._sleep_seconds()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            passed, elapsed = (self.clock() - wall).total_seconds(), self.monotonic() - steady
            wall, steady = self.clock(), self.monotonic()
            if abs(passed - elapsed) > STEP_SECONDS:
                self.stepped(passed - elapsed)

    def fire_due(self, now: datetime) -> None:
        """Fire all whose due time is reached; each is armed anew by what comes of it."""
        while self._heap and self._heap[0][0] <= now:
            due, address = heapq.heappop(self._heap)
            if self._due.get(address) == due:
                del self._due[address]
                self.fire(address)

    def _sleep_seconds(self) -> float:
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if not self._heap:
            return self.look_seconds
        left = (self._heap[0][0] - self.clock()).total_seconds()
        return min(self.look_seconds, max(0.0, left))
