"""The checker knows what was broken when: what is late all the same is named, and only that."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from events.alert import AlertEscalated, AlertFired, AlertHeard, Escalation
from events.host import HostClockStepped
from events.incident import IncidentOpened
from scenarios.checker.broken_times import BrokenTimes
from scenarios.checker.checker import Checker
from scenarios.checker.records import Injected, Outage
from tests.checking import broken
from tests.history import EPOCH, Recorder
from tests.memory_log import MemoryLog
from tests.story import become_healthy, go_down

if TYPE_CHECKING:
    from collections.abc import Sequence

LATER = EPOCH + timedelta(hours=3)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def fault(began: float, ended: float | None, target: str = "alert-host") -> Injected:
    moment = None if ended is None else EPOCH + seconds(ended)
    return Injected(1, "kill", target, EPOCH + seconds(began), moment, 3)


def checked(recorder: Recorder, faults: Sequence[Injected] = ()) -> Checker:
    checker = Checker()
    checker.journal(faults, EPOCH)
    for stored in recorder.log.stored:  # type: ignore[union-attr]
        checker.commit(stored)
    return checker


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(MemoryLog())


async def escalated(recorder: Recorder, after_seconds: float) -> None:
    """An alert that must be told again after 60 s is told again after so many."""
    fired = fired_for("", ("ops",), tell_again_seconds=61)
    await recorder.append("alert/a", fired)
    recorder.now = EPOCH + seconds(after_seconds)
    again = AlertEscalated(level=1, tell_again_at=None)
    await recorder.append("alert/a", again, principal="host:alert-host")


def fired_for(
    incident: str, receivers: tuple[str, ...], tell_again_seconds: float | None = None
) -> AlertFired:
    again = None if tell_again_seconds is None else EPOCH + seconds(tell_again_seconds)
    return AlertFired(
        labels={"alertname": "A"},
        annotations={},
        severity="info",
        receivers=receivers,
        escalation=Escalation(),
        tell_again_at=again,
        incident=incident,
        executor="executor",
    )


def test_broken_times_that_overlap_count_once() -> None:
    times = BrokenTimes(recovers_within=seconds(2))
    times.injected([fault(10, 14), fault(12, 13), fault(30, 31), fault(60, None)])
    times.settle()
    for first, last, broken_seconds in (
        (0, 9, 0),
        (0, 100, 6 + 3 + 40),
        (11, 12, 1),
        (15, 31, 1 + 1),
        (16, 30, 0),
        (70, 80, 10),
    ):
        found = times.within(EPOCH + seconds(first), EPOCH + seconds(last))
        assert found == seconds(broken_seconds), (first, last)


def test_a_broken_service_or_page_breaks_nothing_on_the_way_to_a_person() -> None:
    times = BrokenTimes(recovers_within=seconds(2))
    world = Injected(1, "break", "db", EPOCH, None, 0)
    times.injected([world, fault(0, 50, "web"), fault(0, 50, "worker-1")])
    times.settle()
    assert times.within(EPOCH, LATER) == timedelta()


async def test_what_is_done_long_after_it_was_due_is_late(recorder: Recorder) -> None:
    await escalated(recorder, 95)
    (what,) = broken(checked(recorder), LATER)["due"]
    assert "0:00:35 late" in what


async def test_what_is_done_in_time_is_not_late(recorder: Recorder) -> None:
    await escalated(recorder, 65)
    assert "due" not in broken(checked(recorder), LATER)


async def test_a_host_that_was_dead_excuses_so_much_and_no_more(recorder: Recorder) -> None:
    await escalated(recorder, 95)
    assert "due" not in broken(checked(recorder, [fault(50, 80)]), LATER)
    (what,) = broken(checked(recorder, [fault(50, 63)]), LATER)["due"]
    assert "late" in what
    assert "due" in broken(checked(recorder, [fault(50, 80, "web")]), LATER)


async def test_a_clock_that_was_set_forward_makes_nobody_late(recorder: Recorder) -> None:
    await escalated(recorder, 3600)
    stepped = HostClockStepped(offset_seconds=3550.0)
    await recorder.append("host/alert-host", stepped)
    assert "due" not in broken(checked(recorder), LATER)


async def an_outage(recorder: Recorder, receivers: tuple[str, ...]) -> Outage:
    """A service goes down for a minute, and an alert fires for its receivers."""
    began = recorder.now
    await go_down(recorder, "db", "tcp", "refused")
    opened = IncidentOpened(cause="db", reason="refused", since=began)
    await recorder.append("incident/db-1", opened)
    await recorder.append("alert/db", fired_for("db-1", receivers))
    return Outage("db", began, began + seconds(60))


@pytest.mark.parametrize("receivers", [("ops",), ()])
async def test_an_alert_that_reached_nobody_is_silent_unless_it_was_for_nobody(
    recorder: Recorder, receivers: tuple[str, ...]
) -> None:
    outage = await an_outage(recorder, receivers)
    checker = checked(recorder)
    checker.out(outage)
    found = broken(checker, LATER).get("due", [])
    assert [("reached nobody" in what) for what in found] == [True] * len(receivers)
    heard = AlertHeard(receivers=("ops",), status="firing")
    await recorder.append("alert/db", heard)
    checker = checked(recorder)
    checker.out(outage)
    assert "due" not in broken(checker, LATER)
    assert checker.invariants[4].exercised["outages told"] == 1


async def test_an_outage_while_all_was_broken_may_have_been_missed(recorder: Recorder) -> None:
    outage = Outage("db", EPOCH + seconds(100), EPOCH + seconds(140))
    for faults, is_silent in (([], True), ([fault(90, 125)], False), ([fault(90, 100)], True)):
        checker = checked(recorder, faults)
        checker.out(outage)
        assert ("due" in broken(checker, LATER)) == is_silent, faults


async def test_what_a_clock_that_was_ahead_said_first_does_not_count_last(
    recorder: Recorder,
) -> None:
    recorder.now = EPOCH + seconds(100)  # ahead of its time
    await become_healthy(recorder, "db")
    recorder.now = EPOCH + seconds(10)
    await go_down(recorder, "db", "tcp", "refused")
    checker = checked(recorder)
    checker.out(Outage("db", EPOCH + seconds(200), EPOCH + seconds(260)))
    (what,) = broken(checker, LATER)["due"]
    assert "no alert speaks of it" in what, "that it was down was known all the time"
