"""Times on one line, merged where they overlap."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


@dataclass(slots=True)
class Spans:
    """Times that are apart, in their order, each with how much they took in all before it."""

    began: list[datetime] = field(default_factory=list)
    ended: list[datetime] = field(default_factory=list)
    before: list[timedelta] = field(default_factory=list)
    clear: list[datetime] = field(default_factory=list)

    @classmethod
    def of(cls, times: Iterable[tuple[datetime, datetime]]) -> Spans:
        """Merge times that may overlap."""
        spans = cls()
        for began, ended in sorted(times):
            if spans.ended and began <= spans.ended[-1]:
                spans.ended[-1] = max(ended, spans.ended[-1])
            else:
                spans.began.append(began)
                spans.ended.append(ended)
        assert all(one < two for one, two in pairwise(spans.began)), "they are apart"
        so_far = timedelta()
        for began, ended in zip(spans.began, spans.ended, strict=True):
            spans.before.append(so_far)
            spans.clear.append(began - so_far)
            so_far += ended - began
        return spans

    def until(self, moment: datetime) -> timedelta:
        """Give how much of the time up to a moment is in one of them."""
        place = bisect_right(self.began, moment) - 1
        if place < 0:
            return timedelta()
        return self.before[place] + (min(moment, self.ended[place]) - self.began[place])

    def after(self, first: datetime, calm: timedelta) -> datetime:
        """Give the moment at which so much of the time since `first` was in none of them."""
        target = first - self.until(first) + calm
        place = bisect_left(self.clear, target) - 1
        if place < 0:
            return target
        return target + self.before[place] + (self.ended[place] - self.began[place])

    def meet(self, first: datetime, last: datetime) -> bool:
        """Say whether one of them has a moment in common with a time."""
        place = bisect_right(self.began, last) - 1
        return place >= 0 and self.ended[place] >= first
