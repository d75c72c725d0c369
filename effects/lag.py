"""How late the event loop runs: what was seen while it lagged can't be trusted."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from effects.clock import SystemClock

if TYPE_CHECKING:
    from effects.ports import Clock

INTERVAL_SECONDS = 0.1
LAG_SECONDS_MAX = 0.5
KEPT_MAX = 256


class LoopLag:
    """Sleeps a little, again and again, and keeps the moments at which it woke too late."""

    def __init__(
        self,
        *,
        lag_seconds_max: float = LAG_SECONDS_MAX,
        interval_seconds: float = INTERVAL_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        """Call it lag when the loop is later than `lag_seconds_max`."""
        self._limit = lag_seconds_max
        self._interval = interval_seconds
        self._clock = clock or SystemClock()
        self._expected: float | None = None
        self._lags: deque[tuple[float, float]] = deque(maxlen=KEPT_MAX)
        self.last_seconds = 0.0

    async def run(self) -> None:
        """Measure for as long as the process lives."""
        try:
            while True:
                self._expected = self._clock.monotonic_seconds() + self._interval
                await asyncio.sleep(self._interval)
                self._woke(self._expected, self._clock.monotonic_seconds())
        finally:
            self._expected = None

    def lagged_between(self, start: float, end: float) -> bool:
        """Say whether the loop lagged at any moment between two monotonic times (seconds).

        A lag that is going on counts as well: the answer may be asked for by whoever woke first.
        """
        expected, now = self._expected, self._clock.monotonic_seconds()
        if expected is not None and now - expected > self._limit and start < now:
            return True
        return any(begin < end and start < until for begin, until in self._lags)

    def _woke(self, expected: float, now: float) -> None:
        self.last_seconds = max(0.0, now - expected)
        if self.last_seconds > self._limit:
            self._lags.append((expected - self._interval, now))
