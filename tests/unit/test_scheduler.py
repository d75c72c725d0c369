"""Checks are spread, keep their grid, and never storm, whatever happens to the process."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from itertools import pairwise

import pytest

from effects.probes.scheduler import Scheduler
from effects.probes.timetable import Place, Timetable, spread_of
from events.service import Check, TcpCheck
from tests.waiting import until


def check(name: str = "tcp", interval_seconds: float = 10.0, **more: object) -> Check:
    fields = {"name": name, "port": 1, "interval_seconds": interval_seconds, **more}
    return TcpCheck.model_validate(fields)


def timetable(seed: int = 1) -> Timetable:
    return Timetable(random.Random(seed).random)


def play(
    table: Timetable, start: float, end: float, step: float = 0.05
) -> dict[Place, list[float]]:
    """Run everything that is due, at once; gives the times of each place's runs."""
    runs: dict[Place, list[float]] = {}
    for tick in range(round((end - start) / step) + 1):
        now = start + tick * step
        for place, _ in table.take_due(now):
            runs.setdefault(place, []).append(now)
            table.done(place, now)
    return runs


def fill(table: Timetable, count: int, interval_seconds: float = 10.0, now: float = 0.0) -> None:
    for number in range(count):
        table.replace(f"service-{number}", [check(interval_seconds=interval_seconds)], now)


def test_a_spread_is_stable_over_processes() -> None:
    assert spread_of(Place("web", "http")) == pytest.approx(0.886, abs=0.001)
    assert spread_of(Place("web", "http")) != spread_of(Place("webh", "ttp"))


def test_checks_are_spread_over_their_interval() -> None:
    table = timetable()
    fill(table, 1000)
    runs = play(table, 0, 40)
    last = [times[-1] % 10 for times in runs.values()]
    tenths = [sum(int(part) == tenth for part in last) for tenth in range(10)]
    assert min(tenths) > 60
    assert max(tenths) < 140


def test_the_first_run_is_soon_and_the_second_not_at_once() -> None:
    table = timetable()
    fill(table, 200, interval_seconds=60.0)
    for times in play(table, 0, 100).values():
        assert times[0] <= 2.1
        assert times[1] - times[0] >= 30


def test_a_check_does_not_drift() -> None:
    table = timetable()
    table.replace("web", [check()], 0.0)
    (times,) = play(table, 0, 100_000, 0.5).values()
    phase = spread_of(Place("web", "tcp")) * 10
    late = [(moment - phase) % 10 for moment in times[1:]]
    assert max(late) <= 1.0
    assert statistics.mean(late[:1000]) == pytest.approx(statistics.mean(late[-1000:]), abs=0.05)
    assert len(times) == pytest.approx(10_000, abs=2)


def test_missed_runs_are_skipped_and_one_is_made_up_for_without_a_storm() -> None:
    table = timetable()
    fill(table, 1000)
    play(table, 0, 50)
    after = play(table, 600.0, 602.1)
    assert len(after) == 1000
    assert all(len(times) == 1 for times in after.values())
    at_once = max(
        sum(1 for times in after.values() if times[0] == moment)
        for moment in {times[0] for times in after.values()}
    )
    assert at_once < 100


def test_a_check_is_never_due_while_it_runs() -> None:
    table = timetable()
    table.replace("web", [check()], 0.0)
    ((place, _),) = table.take_due(2.0)
    assert table.take_due(500.0) == []
    table.probe_now("web", 3, 500.0)
    assert table.take_due(501.0) == []
    table.done(place, 501.0)
    assert len(table.take_due(501.2)) == 1


def test_a_run_as_long_as_its_interval_skips_no_further_turn() -> None:
    table = timetable()
    table.replace("web", [check()], 0.0)
    starts: list[float] = []
    now = 0.0
    while len(starts) < 20:
        now += 0.05
        for place, _ in table.take_due(now):
            starts.append(now)
            now += 9.0
            table.done(place, now)
    gaps = [after - before for before, after in pairwise(starts[1:])]
    assert max(gaps) < 11


def test_a_burst_runs_so_often_in_quick_succession() -> None:
    table = timetable()
    table.replace("web", [check(interval_seconds=60.0, failure_threshold=3)], 0.0)
    play(table, 0, 5)
    table.probe_now("web", None, 10.0)
    ((_, times),) = play(table, 10.0, 20.0, 0.01).items()
    assert [round(moment - 10.0, 2) for moment in times] == pytest.approx([0, 0.1, 0.2], abs=0.03)


def test_an_unchanged_check_keeps_its_turn_and_a_changed_one_starts_anew() -> None:
    table = timetable()
    table.replace("web", [check("a", 60.0), check("b", 60.0)], 0.0)
    play(table, 0, 5)
    changed = table.replace("web", [check("a", 60.0), check("b", 30.0), check("c", 60.0)], 5.0)
    assert changed == {Place("web", "b")}
    assert set(play(table, 5.0, 7.1)) == {Place("web", "b"), Place("web", "c")}
    assert table.replace("web", [], 8.0) == {Place("web", name) for name in "abc"}
    assert play(table, 8.0, 200.0) == {}


class Runs:
    """What ran, and how many at once."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self.now = 0
        self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self, service: str, _: Check) -> None:
        self.times.setdefault(service, []).append(time.monotonic())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.gate.wait()
        finally:
            self.now -= 1


async def test_so_many_run_at_once_and_the_others_wait_their_turn() -> None:
    runs = Runs()
    runs.gate.clear()
    scheduler = Scheduler(runs.run, concurrency_max=5)
    for number in range(20):
        scheduler.replace(str(number), [check(interval_seconds=0.2)])
    running = asyncio.create_task(scheduler.run())
    await until(lambda: runs.now == 5)
    runs.gate.set()
    await until(lambda: len(runs.times) == 20)
    assert runs.most == 5
    running.cancel()
    await asyncio.wait([running])
    assert runs.now == 0


async def test_checks_are_replaced_and_removed_live() -> None:
    runs = Runs()
    scheduler = Scheduler(runs.run)
    running = asyncio.create_task(scheduler.run())
    scheduler.replace("a", [check(interval_seconds=1000.0)])
    await until(lambda: "a" in runs.times)
    runs.gate.clear()
    scheduler.probe_now("a", 2)
    await until(lambda: runs.now == 1)
    scheduler.replace("a", [check(interval_seconds=600.0)])
    await until(lambda: len(runs.times["a"]) == 3)
    assert runs.now == 1
    scheduler.remove("a")
    await until(lambda: runs.now == 0)
    assert scheduler.checks == 0
    running.cancel()
    await asyncio.wait([running])


async def test_a_thousand_fast_checks_keep_their_schedule() -> None:
    runs = Runs()
    scheduler = Scheduler(runs.run)
    for number in range(1000):
        scheduler.replace(str(number), [check(interval_seconds=1.0)])
    running = asyncio.create_task(scheduler.run())
    await until(lambda: all(len(times) >= 6 for times in runs.times.values()) and runs.times, 20)
    running.cancel()
    await asyncio.wait([running])
    gaps = [
        after - before for times in runs.times.values() for before, after in pairwise(times[1:6])
    ]
    assert len(runs.times) == 1000
    assert statistics.mean(gaps) == pytest.approx(1.0, abs=0.03)
    assert max(gaps) < 2
