"""Silence is a heartbeat that is overdue, by a clock that never steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from standfast.watchdog.expectation import START_SECONDS, Expectation

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@dataclass
class SteppedClock:
    """A clock that a test moves."""

    seconds: float = 0.0
    step_seconds: float = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds + self.step_seconds)

    def monotonic_seconds(self) -> float:
        return self.seconds


def begun(
    newest: datetime | None = None, supervised_seconds: float | None = None
) -> tuple[Expectation, SteppedClock]:
    clock = SteppedClock()
    expectation = Expectation(30, clock)
    expectation.begin(newest, supervised_seconds)
    return expectation, clock


def test_silence_is_so_long_without_a_new_beat() -> None:
    expectation, clock = begun()
    expectation.hear(NOW)
    clock.seconds = 29
    expectation.hear(NOW)
    assert (expectation.is_fresh, expectation.is_beating, expectation.is_silent) == (1, 0, 0)
    clock.seconds = 31
    expectation.hear(NOW)
    assert expectation.is_silent
    assert not expectation.is_fresh
    expectation.hear(clock.now())
    assert (expectation.is_fresh, expectation.is_beating, expectation.is_silent) == (1, 1, 0)


def test_a_stepped_clock_is_no_silence() -> None:
    expectation, clock = begun()
    expectation.hear(NOW)
    clock.step_seconds = 3600
    assert not expectation.is_silent
    clock.step_seconds = -3600
    expectation.hear(clock.now())
    assert not expectation.is_silent


def test_a_beat_from_before_is_none() -> None:
    expectation, _ = begun(NOW - timedelta(hours=1))
    expectation.hear(NOW - timedelta(hours=1))
    assert not expectation.is_fresh


def test_standfast_that_just_began_has_time() -> None:
    expectation, clock = begun(NOW - timedelta(days=1), supervised_seconds=5)
    clock.seconds = START_SECONDS - 6
    assert not expectation.is_silent
    clock.seconds = START_SECONDS
    assert expectation.is_silent


def test_a_watchdog_that_was_killed_does_not_wait_as_long_again() -> None:
    expectation, clock = begun(NOW - timedelta(seconds=25), supervised_seconds=1000)
    clock.seconds = 9
    assert not expectation.is_silent
    clock.seconds = 11
    assert expectation.is_silent
