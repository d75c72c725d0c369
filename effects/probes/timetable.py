"""When each check is due: spread by a stable hash, without drift, and never twice at once."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from events.service import Check

JITTER_PART = 0.05
JITTER_SECONDS_MAX = 1.0
SOON_SECONDS_MAX = 2.0
LATE_SECONDS_MAX = 1.0
BURST_GAP_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a check: its service's id and its name."""

    service: str
    check: str


@dataclass(slots=True)
class _Line:
    check: Check
    spread: float
    due: float
    is_running: bool = False
    burst_left: int = 0


def spread_of(place: Place) -> float:
    """Give the part of its interval (0 to 1) at which a check is due: the same for ever."""
    text = f"{place.service}\0{place.check}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest()) / 2**64


@dataclass(slots=True)
class Timetable:
    """The due times of all checks, on a clock in seconds that never steps.

    A check has a grid of its own: its due times are whole intervals apart, plus a small jitter
    that does not add up. A new check, and one that comes more than a second too late (the process
    was stopped), runs once within two seconds and then goes back to its grid.
    """

    chance: Callable[[], float]
    lines: dict[Place, _Line] = field(default_factory=dict)
    _heap: list[tuple[float, str, str]] = field(default_factory=list)

    def replace(self, service: str, checks: Iterable[Check], now: float) -> set[Place]:
        """Set the checks of a service. Gives the places that changed or ended."""
        wanted = {Place(service, check.name): check for check in checks}
        known = {place for place in self.lines if place.service == service}
        changed = {place for place in known if self.lines[place].check != wanted.get(place)}
        for place in changed:
            del self.lines[place]
        for place, check in wanted.items():
            if place not in self.lines:
                self._add(place, check, now)
        return changed

    def has(self, place: Place, check: Check) -> bool:
        """Say whether this very check is still wanted there."""
        line = self.lines.get(place)
        return line is not None and line.check is check

    def next_due(self) -> float | None:
        """Give the time at which something may be due next."""
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> list[tuple[Place, Check]]:
        """Give what is due; it counts as running until it is `done`."""
        taken = []
        while self._heap and self._heap[0][0] <= now:
            due, service, name = heapq.heappop(self._heap)
            place = Place(service, name)
            line = self.lines.get(place)
            if line is None or line.is_running or line.due != due:
                continue
            if now - due > LATE_SECONDS_MAX and not line.burst_left:
                self._set_due(place, line, self._soon(line, now))
                continue
            line.is_running = True
            taken.append((place, line.check))
        return taken

    def done(self, place: Place, now: float) -> None:
        """Say that a run has ended: the next one is due on the grid, missed ones are skipped."""
        line = self.lines.get(place)
        if line is None:
            return
        line.is_running = False
        if line.burst_left > 0:
            line.burst_left -= 1
        due = now + BURST_GAP_SECONDS if line.burst_left else self._on_grid(line, now)
        self._set_due(place, line, due)

    def probe_now(self, service: str, burst: int | None, now: float) -> None:
        """Make a service's checks due at once, `burst` runs of each in quick succession.

        None runs each check as often as it takes to fail.
        """
        for place, line in self.lines.items():
            if place.service == service:
                wanted = (burst or line.check.failure_threshold) + int(line.is_running)
                line.burst_left = max(line.burst_left, wanted)
                if not line.is_running:
                    self._set_due(place, line, now)

    def _add(self, place: Place, check: Check, now: float) -> None:
        line = self.lines[place] = _Line(check, spread_of(place), now)
        self._set_due(place, line, self._soon(line, now))

    def _set_due(self, place: Place, line: _Line, due: float) -> None:
        line.due = due
        heapq.heappush(self._heap, (due, place.service, place.check))

    def _soon(self, line: _Line, now: float) -> float:
        return now + line.spread * min(line.check.interval_seconds, SOON_SECONDS_MAX)

    def _on_grid(self, line: _Line, now: float) -> float:
        """Give the next grid time, with its jitter, at least half an interval after the last."""
        interval = line.check.interval_seconds
        phase = line.spread * interval
        turn = (max(now, line.due + interval / 2) - phase) // interval + 1
        jitter = min(JITTER_PART * interval, JITTER_SECONDS_MAX) * self.chance()
        return turn * interval + phase + jitter
