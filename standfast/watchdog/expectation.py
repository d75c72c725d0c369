"""A heartbeat is expected: after so long without one there is silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from effects.ports import Clock

START_SECONDS = 120.0
"""So long after its supervisor Standfast may need until its heart beats."""
BEAT_SECONDS = 10.0
"""A heart that beat so long ago at most is said to beat."""
AGAIN_SECONDS_MIN = 10.0
"""A watchdog that was killed listens for so long at least before it says that there is silence."""


@dataclass(slots=True)
class Expectation:
    """Whether the heart beats. Only a change counts: what is old, or told twice, is no beat."""

    silence_seconds: float
    clock: Clock
    heard: datetime | None = None
    is_fresh: bool = False
    _until: float = field(init=False)
    _heard_seconds: float = -inf

    def __post_init__(self) -> None:
        """Expect a beat within a silence from now on."""
        self._until = self.clock.monotonic_seconds() + self.silence_seconds

    def begin(self, newest: datetime | None, supervised_seconds: float | None) -> None:
        """Begin to listen, after the newest beat there is; the supervisor may just have begun."""
        self.heard = newest
        waits = [AGAIN_SECONDS_MIN]
        if newest is not None:
            aged_seconds = max(0.0, (self.clock.now() - newest).total_seconds())
            waits.append(self.silence_seconds - aged_seconds)
        if supervised_seconds is not None:
            waits.append(START_SECONDS - supervised_seconds)
        self._until = self.clock.monotonic_seconds() + max(waits)

    def hear(self, beat: datetime | None) -> None:
        """Take the newest beat there is."""
        if beat is not None and beat != self.heard:
            self.heard, self.is_fresh = beat, True
            self._heard_seconds = self.clock.monotonic_seconds()
            self._until = self._heard_seconds + self.silence_seconds
        elif self.is_silent:
            self.is_fresh = False

    @property
    def is_beating(self) -> bool:
        """Say whether a beat was heard just now."""
        aged_seconds = self.clock.monotonic_seconds() - self._heard_seconds
        return aged_seconds < min(BEAT_SECONDS, self.silence_seconds)

    @property
    def is_silent(self) -> bool:
        """Say whether a beat is overdue."""
        return self.clock.monotonic_seconds() > self._until
