"""What is concluded from samples of before what the log was told just now is no news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from actors.service import Down, Healthy, Watched
from evaluation.news import LATE, is_news
from evaluation.series import Reading
from evaluation.watching import Watching
from events.service import ServiceSettings, TcpCheck

if TYPE_CHECKING:
    from actors.service import Health

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CHECK = TcpCheck(name="port", port=1, interval_seconds=1, failure_threshold=2, success_threshold=2)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def watching(results: str, arrived: float) -> Watching:
    """Give what is known of results, `+` or `-`, one a second, that arrived all at once."""
    found = Watching()
    found.configure("db", (CHECK,), at(-60), was_down=False)
    found.advance(at(arrived), 0)
    for place, result in enumerate(results):
        reading = Reading(at(place), result == "+", 0.01, "", 1)
        found.count("db", "port", reading, at(arrived), "")
    return found


def news(found: Watching, health: Health, changed: float, configured: float = -60) -> bool:
    settings = ServiceSettings(checks=(CHECK,))
    state = Watched(settings=settings, configuration_hash="", health=health)
    return is_news(found, "db", state, at(configured), at(changed))


def test_successes_of_before_the_failure_are_no_recovery() -> None:
    assert not news(watching("+++", 20), Down(since=at(9), reason=""), changed=20)
    assert not news(watching("++-", 20), Down(since=at(2), reason=""), changed=20)
    assert news(watching("--++", 20), Down(since=at(0), reason=""), changed=20)


def test_failures_of_before_the_recovery_are_no_failure() -> None:
    assert not news(watching("---", 20), Healthy(since=at(9)), changed=20)
    assert news(watching("---", 20), Healthy(since=at(1)), changed=20)


def test_a_clock_that_was_set_back_hides_nothing_for_long() -> None:
    late = 20 + LATE.total_seconds() + 1
    assert news(watching("+++", late), Down(since=at(3600), reason=""), changed=20)


def test_successes_of_checks_that_are_new_are_a_recovery() -> None:
    assert news(watching("+++", 20), Down(since=at(-9), reason=""), changed=20, configured=-5)
