"""Broken times: how much of a time something that matters was broken, by the injector's journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from scenarios.checker.spans import Spans

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scenarios.checker.records import Injected

IN_CALM = "break that lasts"
"""The fault of the calm windows, which comes beside those that were asked for."""

OF_THE_WORLD = frozenset({"break", IN_CALM})
"""Faults of the world: with these Standfast has to do, and nothing of it is broken."""

RAY = frozenset({"ray", "raylet"})
FOUNDATION = frozenset({*RAY, "supervisor", "log", "everybody"})
"""What all that Standfast does needs."""

TO_A_PERSON = frozenset({"prober", "executor", "receiver"})
"""Who takes part beside the hosts where a person is told that a service fails."""

RESTARTED_WITHIN = timedelta(seconds=60)
"""Where Ray was hit all hosts are created anew, and that takes longer."""


@dataclass(slots=True)
class BrokenTimes:
    """The times from each fault's begin until it was healed, and the time to recover after it.

    Asked for some parts, it counts what was done to these, to what all need, and to all clocks. A
    fault that was never healed excuses as much as one that was over at once.
    """

    recovers_within: timedelta
    _faults: list[Injected] = field(default_factory=list)
    _steps: list[tuple[datetime, datetime]] = field(default_factory=list)
    _spans: dict[frozenset[str], Spans] = field(default_factory=dict)

    def injected(self, faults: Iterable[Injected]) -> None:
        """Take the faults of a journal."""
        self._faults += [one for one in faults if one.effect and one.fault not in OF_THE_WORLD]

    def clock_stepped(self, seen: datetime, by: timedelta) -> None:
        """Take that a wall clock jumped: what it left out passed in no time."""
        around = abs(by) + self.recovers_within
        self._steps.append((seen - around, seen + self.recovers_within))

    def within(self, first: datetime, last: datetime, parts: frozenset[str]) -> timedelta:
        """Give how much of a time some parts were broken, or what all need."""
        spans = self._of(parts)
        return max(timedelta(), spans.until(last) - spans.until(first))

    def after(self, first: datetime, calm: timedelta, parts: frozenset[str]) -> datetime:
        """Give the moment at which these parts were well for so long since `first`."""
        return self._of(parts).after(first, calm)

    def _of(self, parts: frozenset[str]) -> Spans:
        if parts not in self._spans:
            matter = parts | FOUNDATION
            times = (self._time(fault) for fault in self._faults if fault.target in matter)
            self._spans[parts] = Spans.of((*self._steps, *times))
        return self._spans[parts]

    def _time(self, fault: Injected) -> tuple[datetime, datetime]:
        after = max(self.recovers_within, RESTARTED_WITHIN if fault.target in RAY else timedelta())
        return fault.began, (fault.ended or fault.began) + after
