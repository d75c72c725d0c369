"""Broken times: how much of a time something of ours was broken, by the injector's journal."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenarios.checker.records import Injected

OF_THE_WORLD = frozenset({"break"})
"""Faults of the world: with these Standfast has to do, and nothing of it is broken."""

BESIDE = ("worker", "web", "projector", "watchdog")
"""How the names of those begin who have no part in the way from a failure to a person."""

FOUNDATION = ("ray", "raylet", "supervisor", "log")
RESTARTED_WITHIN = timedelta(seconds=60)
"""Where the foundation was hit all hosts may have to be created anew, and that takes longer."""

END = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class BrokenTimes:
    """The times from each fault's begin until it was healed, and the time to recover after it."""

    recovers_within: timedelta
    _times: list[tuple[datetime, datetime]] = field(default_factory=list)
    _began: list[datetime] = field(default_factory=list)
    _merged: list[tuple[datetime, datetime, timedelta]] = field(default_factory=list)

    def injected(self, faults: Iterable[Injected]) -> None:
        """Take the faults of a journal."""
        for fault in faults:
            if fault.fault in OF_THE_WORLD or fault.target.startswith(BESIDE):
                continue
            after = max(self.recovers_within, _recovery(fault))
            ended = END if fault.ended is None else fault.ended + after
            self._times.append((fault.began, ended))

    def clock_stepped(self, seen: datetime, by: timedelta) -> None:
        """Take that a wall clock jumped: what it left out passed in no time."""
        around = abs(by) + self.recovers_within
        self._times.append((seen - around, seen + self.recovers_within))

    def settle(self) -> None:
        """Put the times in order; call it when all were taken, before anything is asked."""
        merged: list[tuple[datetime, datetime]] = []
        for began, ended in sorted(self._times):
            if merged and began <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(ended, merged[-1][1]))
            else:
                merged.append((began, ended))
        so_far = timedelta()
        for began, ended in merged:
            self._began.append(began)
            self._merged.append((began, ended, so_far))
            so_far += ended - began
        assert all(one[1] < two[0] for one, two in pairwise(self._merged)), "they are apart"

    def within(self, first: datetime, last: datetime) -> timedelta:
        """Give how much of a time something was broken."""
        return max(timedelta(), self._until(last) - self._until(first))

    def _until(self, moment: datetime) -> timedelta:
        place = bisect_right(self._began, moment) - 1
        if place < 0:
            return timedelta()
        began, ended, before = self._merged[place]
        return before + (min(moment, ended) - began)


def _recovery(fault: Injected) -> timedelta:
    return RESTARTED_WITHIN if fault.target.startswith(FOUNDATION) else timedelta()
