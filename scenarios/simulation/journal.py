"""The journal of a run: what was hurt from when to when, as the machine's clock showed it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from scenarios.checker.records import Injected

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

CLOCK, EVERYBODY = "clock steps", "everybody"
NO_EXCUSE = frozenset({"buckets move"})
"""What Standfast does of itself: nothing is hurt by it."""
STEP_SEEN_WITHIN = timedelta(seconds=40)
"""So long after a step a host still does not know of it: it looks at its clocks now and then."""


@dataclass(slots=True)
class Journal:
    """All that was `hurt`, as it began. A step of the clock tears the faults it falls into.

    So each of the `pieces` has a beginning and an end of one clock.
    """

    now: Callable[[], datetime]
    hurt: list[Injected] = field(default_factory=list)
    pieces: list[Injected] = field(default_factory=list)
    _open: dict[int, Injected] = field(default_factory=dict)
    _number: int = 0

    def begin(self, fault: str, target: str, in_flight: int) -> int:
        """Note that a fault begins, and how many commands are in flight; gives its number."""
        self._number += 1
        began = Injected(self._number, fault, target, self.now(), None, in_flight)
        self._open[self._number] = began
        self.hurt.append(began)
        return self._number

    def end(self, number: int) -> None:
        """Note that a fault is healed."""
        self.pieces.append(replace(self._open.pop(number), ended=self.now()))

    def clock_stepped(self, before: datetime) -> None:
        """Note that the clock, which showed `before`, shows another time at the same moment."""
        now = self.now()
        for number, one in self._open.items():
            self.pieces.append(replace(one, ended=before))
            self._open[number] = replace(one, began=now)
        self._number += 1
        first, last = min(before, now), max(before, now) + STEP_SEEN_WITHIN
        self.pieces.append(Injected(self._number, CLOCK, EVERYBODY, first, last, 0))

    def excuses(self) -> list[Injected]:
        """Give what excuses that something comes late; what is not healed has no end."""
        return [one for one in (*self.pieces, *self._open.values()) if one.fault not in NO_EXCUSE]
