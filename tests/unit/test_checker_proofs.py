"""What a recovery says is proven was seen after it acted, and it succeeds only in truth."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from events.effect import EffectFailed, EffectIntended, EffectSucceeded, Intent
from events.recovery import (
    RecoveryPlanned,
    RecoveryServiceReported,
    RecoveryStepActed,
    RecoveryStepBegan,
    RecoveryStepFailed,
    RecoveryStepVerified,
    RecoverySucceeded,
    Step,
)
from tests.checking import broken
from tests.past import LATER, Past, becomes_healthy, goes_down

if TYPE_CHECKING:
    from events.base import Event

RECOVERY = "recovery/db-1:db"
VERIFIED = RecoveryStepVerified(step=0, service="db")
SUCCEEDED = RecoverySucceeded(took_seconds=1)
VERIFY_SECONDS = 20


async def begins(past: Past, *services: str) -> None:
    """A recovery of some services begins with its first act."""
    steps = tuple(
        Step(service=name, effect="process.restart", timeout_seconds=10, verify_seconds=20)
        for name in services
    )
    planned = RecoveryPlanned(
        incident="db-1",
        cause="db",
        steps=steps,
        mode="automatic",
        executor="executor",
        planned_at=past.recorder.now,
    )
    await past.append(RECOVERY, planned, *attempt(past, 1))


def attempt(past: Past, number: int) -> tuple[Event, Event]:
    """Give the beginning of an act."""
    intent = Intent(
        number=number,
        effect="process.restart",
        executor="executor",
        deadline=past.recorder.now + timedelta(seconds=10),
        arguments={"service": "db"},
    )
    began = RecoveryStepBegan(step=0, service="db", attempt=number)
    return began, EffectIntended(intent=intent)


async def acts(past: Past, *more: Event) -> None:
    """The act is over."""
    until = past.recorder.now + timedelta(seconds=VERIFY_SECONDS)
    acted = RecoveryStepActed(step=0, verify_until=until)
    await past.append(RECOVERY, EffectSucceeded(number=1), acted, *more)


def reported(*, healthy: bool, service: str = "db") -> RecoveryServiceReported:
    return RecoveryServiceReported(service=service, healthy=healthy)


def found(past: Past) -> tuple[list[str], int, int]:
    """Give what broke, and how often both claims were exercised."""
    checker = past.checker()
    what = broken(checker, LATER).get("world", [])
    exercised = checker.invariants[2].exercised
    return what, exercised["proven"], exercised["succeeded"]


OLDER = "what it knows of db is older than its act, which was over at 4"


async def test_health_that_came_after_the_act_is_a_proof(past: Past) -> None:
    await goes_down(past)
    await begins(past, "db")
    await acts(past)
    await becomes_healthy(past)
    await past.append(RECOVERY, reported(healthy=True), VERIFIED, SUCCEEDED)
    assert found(past) == ([], 1, 1)


async def test_health_of_before_the_act_is_none(past: Past) -> None:
    """As in the demo: healthy by itself, stopped and started, and proven by what was before."""
    await goes_down(past)
    await begins(past, "db")
    await becomes_healthy(past)
    await acts(past, reported(healthy=True), VERIFIED, SUCCEEDED)
    assert found(past) == ([OLDER], 1, 1)


async def test_who_stayed_healthy_is_proven_when_its_time_is_over_and_not_before(
    past: Past,
) -> None:
    await goes_down(past)
    await begins(past, "db")
    await becomes_healthy(past)
    await acts(past)
    await past.append(RECOVERY, reported(healthy=True))
    early = len(past.log.stored)
    past.recorder.now += timedelta(seconds=VERIFY_SECONDS)
    await past.append(RECOVERY, VERIFIED)
    assert found(past) == ([], 1, 0)
    del past.log.stored[early:]
    past.recorder.now -= timedelta(seconds=VERIFY_SECONDS)
    past.recorder.heads.clear()
    await past.append(RECOVERY, VERIFIED)
    assert OLDER in found(past)[0]


async def test_who_was_down_when_its_time_was_over_is_not_proven(past: Past) -> None:
    await goes_down(past)
    await begins(past, "db")
    await acts(past, reported(healthy=True))
    past.recorder.now += timedelta(seconds=VERIFY_SECONDS)
    await past.append(RECOVERY, VERIFIED)
    assert found(past)[0] == [OLDER.replace("4", "3")]


async def test_an_act_that_failed_takes_what_was_known_before_it_too(past: Past) -> None:
    await goes_down(past)
    await begins(past, "db")
    await becomes_healthy(past)
    await past.append(RECOVERY, reported(healthy=True))
    failed = EffectFailed(number=1, reason="the executor ended")
    await past.append(RECOVERY, failed, RecoveryStepFailed(step=0, reason=""), VERIFIED)
    assert found(past)[0] == [OLDER.replace("4", "5")]


async def test_a_second_look_after_the_act_may_rest_on_what_is_known_by_then(past: Past) -> None:
    await goes_down(past)
    await begins(past, "db")
    await becomes_healthy(past)
    await acts(past)
    again = RecoveryStepBegan(step=0, service="db", attempt=1)
    waits = RecoveryStepActed(step=0, verify_until=past.recorder.now, detail="waiting")
    await past.append(RECOVERY, again, waits, reported(healthy=True), VERIFIED)
    assert found(past) == ([], 1, 0)


async def test_a_recovery_that_knows_better_does_not_succeed(past: Past) -> None:
    """As in a fault run: the first was proven, went down again, and the last was waited for."""
    await goes_down(past)
    await begins(past, "db", "app")
    await acts(past)
    await becomes_healthy(past)
    await past.append(RECOVERY, reported(healthy=True), VERIFIED)
    await goes_down(past)
    await past.append(RECOVERY, reported(healthy=False))
    last = RecoveryStepVerified(step=1, service="app")
    await past.append(RECOVERY, reported(healthy=True, service="app"), last, SUCCEEDED)
    assert found(past) == (["it succeeded, and knew that db is not healthy"], 1, 1)
