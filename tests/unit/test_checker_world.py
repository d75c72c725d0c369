"""What was wished ended once, and was done and told as the log says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from events.alert import AlertResolved
from events.effect import (
    EffectFailed,
    EffectOutcomeUnknown,
    EffectSucceeded,
)
from tests.checking import broken, deliveries
from tests.past import ALERT, FIRED, LATER, Past, intended


async def told(past: Past, *, ends: bool = True) -> None:
    """An alert fires and is resolved, and its receiver is told of both."""
    now = past.recorder.now
    await past.append(ALERT, FIRED, intended(1, "firing", now))
    await past.append(ALERT, EffectSucceeded(number=1))
    await past.append(ALERT, AlertResolved(reason="well"), intended(2, "resolved", now))
    if ends:
        await past.append(ALERT, EffectSucceeded(number=2))


async def test_what_was_wished_done_and_ended_once_holds(past: Past) -> None:
    await told(past)
    checker = past.checker()
    for delivery in deliveries(past.log.stored):
        checker.delivered(delivery)
    assert broken(checker, LATER) == {}
    exercised = Counter(
        {"ended": 2, "delivered": 2, "in time": 2, "alternating": 1, "told it is over": 1}
    )
    assert checker.invariants[2].exercised == exercised


async def test_a_wish_without_an_end_is_named(past: Past) -> None:
    await told(past, ends=False)
    assert broken(past.checker(), LATER)["world"] == ["notify never came to an end"]


async def test_an_end_that_was_tried_until_nobody_knew_need_not_be_heard(past: Past) -> None:
    await told(past, ends=False)
    await past.append(ALERT, EffectOutcomeUnknown(number=2, reason="silence"))
    checker = past.checker()
    checker.delivered(deliveries(past.log.stored)[0])
    assert "world" not in broken(checker, LATER)


async def test_a_second_end_and_one_that_nobody_wished_are_named(past: Past) -> None:
    await told(past)
    await past.append(ALERT, EffectSucceeded(number=2))
    await past.append(ALERT, EffectSucceeded(number=9))
    found = broken(past.checker(), LATER)["world"]
    assert found == ["it has a second end", "it ends and was never wished"]


async def test_what_is_said_to_be_done_was_seen(past: Past) -> None:
    await told(past)
    checker = past.checker()
    checker.delivered(deliveries(past.log.stored)[0])
    found = broken(checker, LATER)["world"]
    assert found[0] == "notify of ops is said to be done, and never was"
    assert found[1] == "it was told of firing, and never that it is over"


async def test_what_was_done_twice_or_wished_by_nobody_or_late_is_named(past: Past) -> None:
    await told(past)
    first, second = deliveries(past.log.stored)
    for wrong, words in (
        (first, "alert/a#1 was done 2 times"),
        (replace(first, fence=2), "nobody wished it"),
        (replace(first, subject="alert/b"), "nobody wished it"),
        (replace(first, status="resolved"), "nobody wished it"),
    ):
        checker = past.checker()
        for delivery in (first, wrong, second):
            checker.delivered(delivery)
        assert any(words in what for what in broken(checker, LATER)["world"]), words
    checker = past.checker()
    checker.delivered(replace(first, time=first.time + timedelta(seconds=60)))
    checker.delivered(second)
    assert "after its deadline" in broken(checker, LATER)["world"][0]


async def test_a_notice_that_is_said_to_have_failed_was_not_seen(past: Past) -> None:
    await past.append(ALERT, FIRED, intended(1, "firing", past.recorder.now))
    await past.append(ALERT, EffectFailed(number=1, reason="refused", permanent=True))
    checker = past.checker()
    checker.ledger("ops")
    assert "world" not in broken(checker, LATER)
    checker = past.checker()
    for delivery in deliveries(past.log.stored):
        checker.delivered(delivery)
    assert "notify of ops is said not to have been done, and was" in broken(checker, LATER)["world"]


async def test_a_receiver_with_an_empty_ledger_saw_nothing(past: Past) -> None:
    await told(past)
    assert "world" not in broken(past.checker(), LATER)  # nobody knows what it saw
    checker = past.checker()
    checker.ledger("ops")
    assert len(broken(checker, LATER)["world"]) == 2


async def test_firing_and_resolved_alternate(past: Past) -> None:
    now = past.recorder.now
    await told(past)
    await past.append(ALERT, FIRED, intended(3, "firing", now, 2))
    await past.append(ALERT, EffectSucceeded(number=3))
    first, second, third = deliveries(past.log.stored)
    checker = past.checker()
    for delivery in (first, third, second):
        checker.delivered(delivery)
    found = broken(checker, LATER)["world"]
    assert "episode 2 fired while 1 was not resolved" in found
    assert "it heard resolved of episode 1 after (2, 'firing')" in found


async def test_a_notice_of_unknown_end_may_come_again_by_another_wish(past: Past) -> None:
    now = past.recorder.now
    await past.append(ALERT, FIRED, intended(1, "firing", now))
    await past.append(ALERT, EffectOutcomeUnknown(number=1, reason="silence"))
    await past.append(ALERT, intended(2, "firing", now))
    await past.append(ALERT, EffectSucceeded(number=2))
    await past.append(ALERT, AlertResolved(reason="well"), intended(3, "resolved", now))
    await past.append(ALERT, EffectFailed(number=3, reason="gone", permanent=True))
    checker = past.checker()
    for delivery in deliveries(past.log.stored)[:2]:
        checker.delivered(delivery)
    assert broken(checker, LATER) == {}
