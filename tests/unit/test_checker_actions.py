"""What was done to services, and what was told without the log, is held to what the log says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from events.effect import EffectFailed, EffectIntended, EffectSucceeded, Intent
from events.platform import PlatformToldWithoutLog
from scenarios.checker.records import Delivery
from tests.checking import broken, fed
from tests.history import EPOCH, Recorder
from tests.memory_log import MemoryLog

if TYPE_CHECKING:
    from events.commit import StoredCommit

LATER = EPOCH + timedelta(hours=1)
RECOVERY = "recovery/r1"


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(MemoryLog())


def stored_by(recorder: Recorder) -> list[StoredCommit]:
    assert isinstance(recorder.log, MemoryLog)
    return recorder.log.stored


async def restarted(recorder: Recorder, number: int = 1, *, succeeds: bool = True) -> Delivery:
    """A restart is wished and ends; gives what the service itself writes down of it."""
    intent = Intent(
        number=number,
        effect="process.restart",
        executor="executor",
        deadline=recorder.now + timedelta(seconds=30),
        arguments={"service": "db"},
    )
    await recorder.append(RECOVERY, EffectIntended(intent=intent))
    fence, began = len(stored_by(recorder)), recorder.now
    recorder.now += timedelta(seconds=3)
    end = EffectSucceeded(number=number) if succeeds else EffectFailed(number=number, reason="no")
    await recorder.append(RECOVERY, end)
    key = f"{RECOVERY}#{number}"
    return Delivery("starts", key, fence, "db", "start", began + timedelta(seconds=1), True)


def found(recorder: Recorder, *ledger: Delivery) -> tuple[list[str], dict[str, int]]:
    """Give what broke, and how often each claim was exercised."""
    checker = fed(stored_by(recorder))
    for delivery in ledger:
        checker.delivered(delivery)
    return broken(checker, LATER).get("world", []), checker.invariants[2].exercised


async def test_a_restart_that_the_service_knows_once_holds(recorder: Recorder) -> None:
    first, second = await restarted(recorder), await restarted(recorder, 2)
    whats, exercised = found(recorder, first, second)
    assert whats == []
    assert exercised["acted"] == 2


async def test_a_restart_that_the_service_knows_twice_or_never_is_named(recorder: Recorder) -> None:
    first, second = await restarted(recorder), await restarted(recorder, 2)
    whats, _ = found(recorder, first, first, second)
    assert whats == [f"{RECOVERY}#1 was done 2 times"]
    whats, _ = found(recorder, first)
    assert whats == ["process.restart of db is said to be done, and never was"]


async def test_a_start_that_nobody_wished_is_named(recorder: Recorder) -> None:
    first = await restarted(recorder)
    for wrong in (replace(first, subject="app"), replace(first, fence=2), replace(first, fence=9)):
        whats, _ = found(recorder, first, wrong)
        assert whats == ["it was done, and nobody wished it"], wrong


async def test_a_start_without_a_wish_explains_a_restart_only_in_its_time(
    recorder: Recorder,
) -> None:
    first, second = await restarted(recorder), await restarted(recorder, 2)
    of_itself = replace(second, key="", fence=0)
    whats, exercised = found(recorder, first, of_itself)
    assert whats == []
    assert exercised["acted"] == 1
    whats, _ = found(recorder, first, replace(of_itself, time=LATER))
    assert whats == ["process.restart of db is said to be done, and never was"]


async def test_a_restart_that_failed_may_have_been_done(recorder: Recorder) -> None:
    first, second = await restarted(recorder), await restarted(recorder, 2, succeeds=False)
    assert found(recorder, first, second)[0] == []
    assert found(recorder, first)[0] == []


async def told(recorder: Recorder, status: str, after_seconds: float) -> Delivery:
    """The log says that a receiver was told without it; gives what the receiver heard."""
    fact = PlatformToldWithoutLog.model_validate(
        {
            "alert": "LogAway",
            "status": status,
            "receiver": "ops",
            "told_at": EPOCH + timedelta(seconds=after_seconds),
            "summary": "the log is away",
        }
    )
    await recorder.append("platform/main", fact)
    heard_at = fact.told_at - timedelta(seconds=0.1)
    return Delivery("ops", f"alert/LogAway#p-{status}-0@ops", 0, "alert/LogAway", status, heard_at)


async def test_what_was_told_without_the_log_is_in_it_afterwards(recorder: Recorder) -> None:
    firing, resolved = await told(recorder, "firing", 10), await told(recorder, "resolved", 60)
    whats, exercised = found(recorder, firing, resolved)
    assert whats == []
    assert exercised["told without the log"] == 2


async def test_what_was_told_without_the_log_and_is_not_in_it_is_named(recorder: Recorder) -> None:
    firing = await told(recorder, "firing", 10)
    for other in (
        replace(firing, subject="alert/Other"),
        replace(firing, status="resolved"),
        replace(firing, time=firing.time + timedelta(seconds=30)),
    ):
        whats, _ = found(recorder, firing, other)
        assert whats == ["it was told without the log, and the log does not know it"], other


async def test_what_the_log_says_was_told_and_nobody_heard_is_named(recorder: Recorder) -> None:
    firing, resolved = await told(recorder, "firing", 10), await told(recorder, "resolved", 60)
    whats, _ = found(recorder, firing)
    (what,) = whats
    assert what.startswith("ops was told without the log that alert/LogAway is resolved")
    whats, _ = found(recorder, firing, replace(resolved, time=LATER))
    assert len(whats) == 2


async def test_who_was_killed_before_it_noted_that_it_told_says_later_that_it_is_over(
    recorder: Recorder,
) -> None:
    resolved = await told(recorder, "resolved", 60)
    firing = replace(resolved, status="firing", time=EPOCH + timedelta(seconds=10))
    assert found(recorder, firing, resolved)[0] == []
