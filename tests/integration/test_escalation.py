"""What is due is told when it is due, though the host died, and late but once where it was down."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from actors.alert import AcknowledgeAlert, FireAlert, ResolveAlert
from events.alert import AlertEscalated, AlertFired, AlertResolved, Escalation
from events.effect import EffectIntended, EffectOutcomeUnknown, EffectSucceeded
from events.host import HostClockStepped, HostReady
from events.surroundings import now
from tests.fixtures.checked import HELD
from tests.hosting import Hosting
from tests.waiting import until

if TYPE_CHECKING:
    from actors.runtime.commands import Answer
    from tests.fixtures.checked import CheckedRun

ALERT = "alert/disk"


async def fire(hosting: Hosting, wait_seconds: float = 60.0, repeats_max: int = 2) -> Answer:
    return await hosting.send(
        ALERT,
        FireAlert(
            labels={"alertname": "Disk", "severity": "critical"},
            severity="critical",
            receivers=("ops",),
            escalation=Escalation(wait_seconds=wait_seconds, repeats_max=repeats_max),
        ),
    )


async def test_an_alert_whose_host_dies_after_30_s_escalates_at_60_s_and_is_asked_nothing(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=("alert",))
    executor = await hosting.executor()
    host = await hosting.start()
    await fire(hosting)
    await hosting.until_event(EffectSucceeded)
    hosting.clock.step(30)
    await hosting.kill(host)
    host = await hosting.start()
    head = await hosting.quiet()
    hosting.clock.step(28)
    assert await hosting.quiet() - head == 1, "the step was noted, and nothing is due at 58 s"
    assert await hosting.events(AlertEscalated) == []
    hosting.clock.step(2)
    (escalated,) = await hosting.until_event(AlertEscalated)
    assert escalated.level == 1
    await hosting.until_event(EffectSucceeded, count=2)
    assert executor.told() == ["disk firing", "disk firing"]
    await hosting.quiet()
    assert len(await hosting.events(AlertEscalated)) == 1


async def test_in_real_time_an_alert_escalates_on_time_over_a_kill(
    hosting: Hosting, checked_run: CheckedRun
) -> None:
    await hosting.place(h1=("alert",))
    executor = await hosting.executor()
    host = await hosting.start()
    await fire(hosting, wait_seconds=3.0)
    (fired,) = await hosting.until_event(AlertFired)
    half = now() + timedelta(seconds=1.5)
    await until(lambda: now() >= half)
    with checked_run.injected("kill", "h1"):
        await hosting.kill(host)
        await hosting.start()
    await hosting.until_event(AlertEscalated)
    decided = [one for one in await hosting.envelopes() if isinstance(one.event, AlertEscalated)]
    assert fired.tell_again_at is not None
    lateness_seconds = (decided[0].decided - fired.tell_again_at).total_seconds()
    assert 0 <= lateness_seconds < 1.0
    await until(lambda: len(executor.told()) == 2)
    await hosting.quiet()
    claims = (*HELD, "world: ended", "due: timers")
    await checked_run.clean(hosting.log, *claims, hosts=("h1",), late_seconds=1.0)


async def test_a_deadline_missed_while_down_fires_late_and_once(hosting: Hosting) -> None:
    await hosting.place(h1=("alert",))
    executor = await hosting.executor()
    host = await hosting.start()
    await fire(hosting)
    await hosting.until_event(EffectSucceeded)
    await hosting.kill(host)
    hosting.clock.step(3600)
    await hosting.start()
    (escalated,) = await hosting.until_event(AlertEscalated)
    assert escalated.tell_again_at is not None
    assert escalated.tell_again_at > hosting.clock() + timedelta(seconds=50)
    await hosting.quiet()
    assert len(await hosting.events(AlertEscalated)) == 1
    assert executor.told() == ["disk firing"] * 2


async def test_an_acknowledged_alert_is_not_told_again(hosting: Hosting) -> None:
    await hosting.place(h1=("alert",))
    executor = await hosting.executor()
    host = await hosting.start()
    await fire(hosting)
    await hosting.until_event(EffectSucceeded)
    assert (await hosting.send(ALERT, AcknowledgeAlert(by="ann"))).accepted
    hosting.clock.step(120)
    await hosting.quiet()
    await hosting.kill(host)
    hosting.clock.step(120)
    await hosting.start()
    await hosting.quiet()
    assert await hosting.events(AlertEscalated) == []
    assert executor.told() == ["disk firing"]
    assert (await hosting.send(ALERT, ResolveAlert(reason="mended"))).accepted
    await hosting.until_event(AlertResolved)
    await until(lambda: executor.told() == ["disk firing", "disk resolved"])


async def test_it_is_told_again_as_often_as_configured_and_no_more(hosting: Hosting) -> None:
    await hosting.place(h1=("alert",))
    executor = await hosting.executor()
    await hosting.start()
    await fire(hosting, repeats_max=2)
    for count in (1, 2):
        await hosting.until_event(EffectSucceeded, count=count)
        hosting.clock.step(61)
        await hosting.until_event(AlertEscalated, count=count)
    await hosting.until_event(EffectSucceeded, count=3)
    hosting.clock.step(6000)
    await hosting.quiet()
    levels = [event.level for event in await hosting.events(AlertEscalated)]
    assert levels == [1, 2]
    assert executor.told() == ["disk firing"] * 3


async def test_a_step_of_the_wall_clock_is_a_fact_and_what_is_due_is_due(hosting: Hosting) -> None:
    await hosting.place(h1=("alert",))
    await hosting.executor()
    await hosting.start()
    await fire(hosting)
    hosting.clock.step(-600)
    (stepped,) = await hosting.until_event(HostClockStepped)
    assert -601 < stepped.offset_seconds < -599
    assert await hosting.events(AlertEscalated) == []
    hosting.clock.step(661)
    (*_, stepped) = await hosting.until_event(HostClockStepped, count=2)
    assert 660 < stepped.offset_seconds < 662
    await hosting.until_event(AlertEscalated)


async def test_a_notice_that_nobody_answers_for_is_unknown_and_tried_again(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=("alert",))
    executor = await hosting.executor(outcome="")
    host = await hosting.start()
    await fire(hosting, repeats_max=0)
    await until(lambda: len(executor.errands) == 1)
    await hosting.kill(host)
    hosting.clock.step(10)
    host = await hosting.start()
    await until(lambda: len(executor.errands) == 2)
    first, second = executor.errands
    assert (first.intent, first.sequence) == (second.intent, second.sequence)
    executor.outcome = "succeeded"
    hosting.clock.step(30)
    await hosting.until_event(EffectOutcomeUnknown)
    await hosting.until_event(EffectSucceeded)
    attempts = [event.intent.attempt for event in await hosting.events(EffectIntended)]
    assert attempts == [1, 2]
    late = await executor.report(first, "succeeded")
    assert late.outcome == "declined"


async def test_an_intent_is_offered_until_its_executor_comes(hosting: Hosting) -> None:
    await hosting.place(h1=("alert",))
    await hosting.start()
    await fire(hosting)
    await hosting.until_event(EffectIntended)
    executor = await hosting.executor()
    await hosting.until_event(EffectSucceeded)
    assert executor.told() == ["disk firing"]
    assert len(executor.errands) == 1


async def test_a_host_that_starts_late_is_ready_and_says_so(hosting: Hosting) -> None:
    await hosting.place(h1=("alert",))
    host = await hosting.start()
    await fire(hosting)
    await hosting.kill(host)
    await hosting.start()
    ready = await hosting.until_event(HostReady, count=2)
    assert [(one.epoch, one.entities) for one in ready] == [(1, 0), (1, 1)]
