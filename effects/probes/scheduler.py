"""Checks run when they are due, so many at once, and one slow check holds up no other."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from effects.clock import SystemClock
from effects.probes.timetable import Place, Timetable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from effects.ports import Clock
    from events.service import Check

CONCURRENCY_MAX = 500
GRAIN_SECONDS = 0.005


class Scheduler:
    """Runs `run(service, check)` for every check, by its timetable."""

    def __init__(
        self,
        run: Callable[[str, Check], Awaitable[None]],
        *,
        concurrency_max: int = CONCURRENCY_MAX,
        clock: Clock | None = None,
        chance: Callable[[], float] | None = None,
    ) -> None:
        """Run at most so many checks at once; `run` must not raise."""
        self._run_check = run
        self._concurrency_max = concurrency_max
        self._clock = clock or SystemClock()
        self._timetable = Timetable(chance or random.Random().random)  # noqa: S311  (jitter)
        self._running: set[asyncio.Future[None]] = set()
        self._run_of: dict[Place, asyncio.Future[None]] = {}
        self._waiting: deque[tuple[Place, Check]] = deque()
        self._changed = asyncio.Event()
        self._wakes_at = 0.0

    @property
    def checks(self) -> int:
        """How many checks are scheduled."""
        return len(self._timetable.lines)

    def replace(self, service: str, checks: Iterable[Check]) -> None:
        """Add a service's checks, or change them; runs of what changed are cancelled."""
        for place in self._timetable.replace(service, checks, self._now()):
            if place in self._run_of:
                self._run_of[place].cancel()
        self._changed.set()

    def remove(self, service: str) -> None:
        """Stop checking a service."""
        self.replace(service, ())

    def probe_now(self, service: str, burst: int | None = None) -> None:
        """Run a service's checks at once; see `Timetable.probe_now`."""
        self._timetable.probe_now(service, burst, self._now())
        self._changed.set()

    async def run(self) -> None:
        """Run what is due for as long as the process lives."""
        try:
            while True:
                self._waiting.extend(self._timetable.take_due(self._now()))
                self._start_waiting()
                await self._until_due()
        finally:
            for task in list(self._running):
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _until_due(self) -> None:
        self._changed.clear()
        now, due = self._now(), self._timetable.next_due()
        self._wakes_at = inf if due is None else max(now + GRAIN_SECONDS, due)
        try:
            async with asyncio.timeout(None if due is None else self._wakes_at - now):
                await self._changed.wait()
        except TimeoutError:
            return

    def _start_waiting(self) -> None:
        while self._waiting and len(self._running) < self._concurrency_max:
            place, check = self._waiting.popleft()
            if self._timetable.has(place, check):
                task = asyncio.ensure_future(self._run_check(place.service, check))
                self._running.add(task)
                self._run_of[place] = task
                task.add_done_callback(partial(self._ended, place, check))

    def _ended(self, place: Place, check: Check, task: asyncio.Future[None]) -> None:
        self._running.discard(task)
        if self._run_of.get(place) is task:
            del self._run_of[place]
        assert task.cancelled() or task.exception() is None, task.exception()
        if self._timetable.has(place, check):
            self._timetable.done(place, self._now())
        self._start_waiting()
        if (self._timetable.next_due() or 0.0) < self._wakes_at:
            self._changed.set()

    def _now(self) -> float:
        return self._clock.monotonic_seconds()
