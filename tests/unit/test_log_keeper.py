"""A log that hangs is started anew, and one that is away for another reason is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from standfast.emergency.records import Began, Outage
from standfast.supervisor.log_keeper import PATIENCE_SECONDS, should_restart

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def away(seconds: float, *, hangs: bool) -> Outage:
    since = NOW - timedelta(seconds=seconds)
    return Outage(began=Began(outage="o", since=since, reason="", services=1, hangs=hangs))


def test_it_is_started_anew_when_it_hangs_for_long() -> None:
    assert not should_restart(away(PATIENCE_SECONDS - 1, hangs=True), NOW)
    assert should_restart(away(PATIENCE_SECONDS + 1, hangs=True), NOW)
    assert not should_restart(away(PATIENCE_SECONDS + 1, hangs=False), NOW)
