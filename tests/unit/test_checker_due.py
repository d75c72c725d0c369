"""What is due is done, and no outage stays silent."""

from __future__ import annotations

from datetime import timedelta

from events.effect import (
    EffectOutcomeUnknown,
)
from scenarios.checker.records import Outage
from tests.checking import broken
from tests.past import ALERT, FIRED, LATER, Past, intended
from tests.story import go_down, outage, steady


async def test_what_is_due_is_done_or_named(past: Past) -> None:
    await past.append(ALERT, FIRED, intended(1, "firing", past.recorder.now))
    due = past.checker().folding.due(past.log.stored[0].commit.entity)
    assert due is not None
    assert "due" not in broken(past.checker(), due + timedelta(seconds=5))
    assert "it was due at" in broken(past.checker(), due + timedelta(seconds=11))["due"][0]
    past.recorder.now = due
    unknown = EffectOutcomeUnknown(number=1, reason="silence")
    await past.append(ALERT, unknown, principal="host:alert-host")
    checker = past.checker()
    broken(checker, due)
    assert checker.invariants[4].exercised["timers"] == 1
    assert checker.invariants[4].violations == []


async def test_a_timer_that_is_early_is_named(past: Past) -> None:
    await past.append(ALERT, FIRED, intended(1, "firing", past.recorder.now))
    unknown = EffectOutcomeUnknown(number=1, reason="silence")
    await past.append(ALERT, unknown, principal="host:alert-host")
    assert "a timer did something" in broken(past.checker(), past.recorder.now)["due"][0]


async def test_an_outage_that_the_log_knows_nothing_of_is_silent(past: Past) -> None:
    await steady(past.recorder)
    began = past.recorder.now
    await outage(past.recorder)
    checker = past.checker()
    ended = past.recorder.now + timedelta(seconds=15)
    checker.out(Outage("demo-database", began, ended))
    assert "due" not in broken(checker, ended)
    assert checker.invariants[4].exercised["outages told"] == 1
    later = began + timedelta(hours=1)
    for service, first in (("demo-cache", began), ("demo-database", later)):
        checker = past.checker()
        checker.out(Outage(service, first, first + timedelta(minutes=1)))
        assert "the log is silent" in broken(checker, ended)["due"][0]


async def test_an_outage_that_nobody_was_told_of_is_named(past: Past) -> None:
    await steady(past.recorder)
    began = past.recorder.now
    await go_down(past.recorder, "demo-cache", "tcp", "refused")
    checker = past.checker()
    checker.out(Outage("demo-cache", began, began + timedelta(minutes=1)))
    assert "no alert speaks of it" in broken(checker, LATER)["due"][0]
