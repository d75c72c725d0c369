"""The checker knows what was broken when: what is late all the same is named, and only that."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from events.alert import AlertEscalated, AlertFired, AlertHeard, Escalation
from events.host import HostClockStepped
from events.incident import IncidentOpened
from events.placement import BucketRange, BucketsPlaced
from scenarios.checker.broken_times import BrokenTimes
from scenarios.checker.checker import Checker
from scenarios.checker.records import Injected, Outage
from scenarios.checker.spans import Spans
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


WATCHED = frozenset({"alert-host"})


def checked(recorder: Recorder, faults: Sequence[Injected] = ()) -> Checker:
    checker = Checker()
    checker.journal(faults, EPOCH)
    for stored in recorder.log.stored:  # type: ignore[union-attr]
        checker.commit(stored)
    return checker


def test_times_that_overlap_are_one() -> None:
    times = ((5, 6), (0, 4), (1, 2), (4, 5), (9, 9))
    spans = Spans.of((EPOCH + seconds(began), EPOCH + seconds(ended)) for began, ended in times)
    assert spans.until(EPOCH + seconds(7)) == seconds(6)
    for first, last, meets in (
        (3, 3, True),
        (6, 8, True),
        (7, 8, False),
        (8, 9, True),
        (10, 11, False),
    ):
        assert spans.meet(EPOCH + seconds(first), EPOCH + seconds(last)) is meets
    assert not Spans.of(()).meet(EPOCH, EPOCH)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(MemoryLog())


def placed(**kinds: str) -> BucketsPlaced:
    """Each host (`a_b` is host a-b) has all of one kind."""
    hosts: dict[str, tuple[BucketRange, ...]] = {
        host.replace("_", "-"): (BucketRange(kind=kind),) for host, kind in kinds.items()
    }
    return BucketsPlaced(epoch=1, hosts=hosts)


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
    for first, last, broken_seconds in (
        (0, 9, 0),
        (0, 100, 6 + 3 + 2),
        (11, 12, 1),
        (15, 31, 1 + 1),
        (16, 30, 0),
        (70, 80, 0),
    ):
        found = times.within(EPOCH + seconds(first), EPOCH + seconds(last), WATCHED)
        assert found == seconds(broken_seconds), (first, last)


def test_the_moment_by_which_all_was_well_for_long_enough() -> None:
    times = BrokenTimes(recovers_within=seconds(2))
    times.injected([fault(10, 14), fault(30, 31)])
    for first, calm, moment in ((0, 9, 9), (0, 10, 10), (0, 11, 17), (12, 3, 19), (17, 15, 35)):
        found = times.after(EPOCH + seconds(first), seconds(calm), WATCHED)
        assert found == EPOCH + seconds(moment), (first, calm)


def test_only_what_was_done_to_who_matters_or_to_all_counts() -> None:
    times = BrokenTimes(recovers_within=seconds(2))
    times.injected([fault(0, 1, "alert-host"), fault(10, 11, "log"), fault(20, 21, "prober")])
    for parts, broken_seconds in (
        (WATCHED, 3 + 3),
        (frozenset({"service-host"}), 3),
        (frozenset({"prober", "alert-host"}), 3 + 3 + 3),
    ):
        assert times.within(EPOCH, LATER, parts) == seconds(broken_seconds), parts


@pytest.mark.parametrize("target", ["ray", "raylet"])
def test_where_ray_was_hit_all_hosts_may_take_a_minute(target: str) -> None:
    times = BrokenTimes(recovers_within=seconds(2))
    times.injected([fault(0, 1, target)])
    assert times.within(EPOCH, LATER, WATCHED) == seconds(61)


def test_a_fault_of_the_world_breaks_nothing_of_ours() -> None:
    times = BrokenTimes(recovers_within=seconds(2))
    times.injected([Injected(1, "break", "alert-host", EPOCH, EPOCH + seconds(9), 0)])
    assert times.within(EPOCH, LATER, WATCHED) == timedelta()


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
    for target, is_excused in (
        ("log", True),
        ("everybody", True),
        ("web", False),
        ("prober", False),
        ("service-host", False),
    ):
        found = broken(checked(recorder, [fault(50, 80, target)]), LATER)
        assert ("due" not in found) == is_excused, target


async def test_who_owns_an_entity_by_the_placement_excuses_what_another_did_for_it(
    recorder: Recorder,
) -> None:
    await recorder.append("placement/main", placed(h2="alert", h3="service"))
    await escalated(recorder, 95)
    assert "due" not in broken(checked(recorder, [fault(50, 80, "h2")]), LATER)
    assert "due" in broken(checked(recorder, [fault(50, 80, "h3")]), LATER)


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


@pytest.mark.parametrize(("after_seconds", "is_in_time"), [(15, True), (40, False)])
async def test_people_are_told_within_the_time_that_there_is_for_it(
    recorder: Recorder, after_seconds: float, is_in_time: bool
) -> None:
    outage = await an_outage(recorder, ("ops",))
    recorder.now = outage.began + seconds(after_seconds)
    await recorder.append("alert/db", AlertHeard(receivers=("ops",), status="firing"))
    for faults, is_content in (([], is_in_time), ([fault(5, 20, "executor")], True)):
        checker = checked(recorder, faults)
        checker.out(outage)
        assert ("due" not in broken(checker, LATER)) == is_content, faults


async def test_an_outage_while_all_was_broken_may_have_been_missed(recorder: Recorder) -> None:
    outage = Outage("db", EPOCH + seconds(100), EPOCH + seconds(140))
    await recorder.append("placement/main", placed(alert_host="alert", other="recovery"))
    for faults, is_silent in (
        ([], True),
        ([fault(90, 125)], False),
        ([fault(90, 100)], True),
        ([fault(90, 125, "prober")], False),
        ([fault(90, 125, "executor")], False),
        ([fault(90, 125, "receiver")], False),
        ([fault(90, 125, "everybody")], False),
        ([fault(90, 125, "other")], True),
        ([fault(90, 125, "web"), fault(90, 125, "worker-1"), fault(90, 125, "evaluator")], True),
    ):
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
