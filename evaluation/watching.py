"""What is known of every service by its samples, up to the moment to which they were read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from evaluation.series import readings_of
from evaluation.thresholds import (
    Track,
    Undecided,
    Watch,
    conclude,
    distrusted,
    observe,
    verdict_on,
    window_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from evaluation.series import Reading
    from evaluation.thresholds import Conclusion, Verdict
    from events.service import CheckSchedule
    from events.telemetry import Batch, Vantage

GAP = timedelta(seconds=5)
PENDING_MAX = 256
REFILL_MIN = timedelta(minutes=1)
REFILL_MAX = timedelta(hours=6)


@dataclass(slots=True)
class _Watched:
    """A service's checks and their tracks, by name; `since` is when they were configured."""

    since: datetime
    checks: dict[str, CheckSchedule]
    tracks: dict[str, Track]


@dataclass(slots=True)
class Watching:
    """The tracks of all services.

    Time is the log's: `horizon` is when the newest sample read so far was stored, and whatever is
    concluded holds at that moment, however late we are. As heartbeats of our own are among the
    samples, the horizon follows the clock while the log can be read, and stands still while it
    can't. After a standstill, as after a start, every check has its whole window again
    (`since`): warming says nothing false.
    """

    horizon: datetime | None = None
    since: datetime | None = None
    is_current: bool = False
    _services: dict[str, _Watched] = field(default_factory=dict)

    @property
    def services(self) -> tuple[str, ...]:
        """The services that are watched."""
        return tuple(self._services)

    def refill_window(self) -> timedelta:
        """Give how far back samples matter for the counts of these checks."""
        spans = [
            window_of(check)
            + timedelta(seconds=check.interval_seconds)
            * max(check.failure_threshold, check.success_threshold)
            for watched in self._services.values()
            for check in watched.checks.values()
        ]
        return min(REFILL_MAX, max(spans, default=REFILL_MIN))

    def configure(
        self, service: str, checks: Iterable[CheckSchedule], since: datetime, *, was_down: bool
    ) -> None:
        """Watch a service from a moment on. Checks that did not change keep their tracks."""
        known = self._services.get(service)
        wanted = {check.name: check for check in checks}
        tracks = {
            name: known.tracks[name]
            if known is not None and known.checks.get(name) == check
            else Track(Undecided(was_failing=was_down))
            for name, check in wanted.items()
        }
        self._services[service] = _Watched(since, wanted, tracks)

    def begin(self, began: datetime, settling: timedelta) -> None:
        """Start, as the log has it, then: for so long silence may be that of a prober's start."""
        self.since = began + settling

    def retire(self, service: str) -> None:
        """Watch a service no more."""
        self._services.pop(service, None)

    def take(self, batch: Batch, sequence: int, stored: datetime, pending: int) -> set[str]:
        """Count a batch that was read. Gives the services it speaks of."""
        self.advance(stored, pending)
        distrust = distrust_of(batch.vantage)
        return {
            service
            for service, name, reading in readings_of(batch, sequence)
            if self.count(service, name, reading, stored, distrust)
        }

    def count(
        self, service: str, check: str, reading: Reading, arrived: datetime, distrust: str
    ) -> bool:
        """Count one result, or note why it counts for nothing. False where nobody watches it."""
        watched = self._services.get(service)
        if watched is None or check not in watched.tracks:
            return False
        track = watched.tracks[check]
        watched.tracks[check] = (
            distrusted(track, distrust)
            if distrust
            else observe(track, reading, arrived, watched.checks[check])
        )
        return True

    def verdict(self, service: str) -> Verdict | None:
        """Give the verdict on a service at the horizon; None where nothing can be said."""
        watches = self._watches(service)
        if watches is None or self.horizon is None:
            return None
        return verdict_on(watches.values(), self.horizon)

    def conclude(self, service: str) -> Conclusion | None:
        """Give the verdict with what it rests on; None where nothing can be said."""
        watches = self._watches(service)
        if watches is None or self.horizon is None:
            return None
        return conclude(watches, self.horizon)

    def _watches(self, service: str) -> dict[str, Watch] | None:
        watched = self._services.get(service)
        if watched is None or self.since is None or not self.is_current:
            return None
        since = max(self.since, watched.since)
        return {
            name: Watch(check, watched.tracks[name], since)
            for name, check in watched.checks.items()
        }

    def advance(self, stored: datetime, pending: int) -> None:
        """Move on to the moment of what is read next; so much waits to be read after it."""
        became_current = not self.is_current and pending <= PENDING_MAX
        if self.horizon is None or stored - self.horizon > GAP or became_current:
            self.since = stored if self.since is None else max(stored, self.since)
        self.horizon = stored if self.horizon is None else max(stored, self.horizon)
        self.is_current = pending <= PENDING_MAX


def distrust_of(vantage: Vantage) -> str:
    """Say why what was seen from there just then counts for nothing."""
    if vantage.lagged:
        return f"{vantage.producer} lagged"
    return f"{vantage.producer} did not see its canary either" if vantage.canary_failed else ""
