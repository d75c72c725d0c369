"""The checker is linear: twice the run takes twice the steps."""

from __future__ import annotations

from cProfile import Profile
from datetime import timedelta

from scenarios.checker.records import Outage
from tests.checking import answered, broken, deliveries
from tests.past import LATER, Past, probe
from tests.story import outage, steady


async def calls_of(commits: int) -> int:
    """Count the calls that it takes to check a run of so many commits."""
    past = Past()
    for number in range(commits):
        await past.append(f"service/s{number % 10}", probe(), command_id=f"c{number}")
    profile = Profile()
    with profile:
        checker = past.checker()
        for number in range(commits):
            answered(checker, f"c{number}", f"service/s{number % 10}", number + 1)
        assert broken(checker, LATER) == {}
    return sum(entry.callcount for entry in profile.getstats())


async def test_twice_the_commits_take_twice_the_steps() -> None:
    once, twice = await calls_of(300), await calls_of(600)
    assert twice < 2.1 * once


async def calls_of_outages(outages: int) -> int:
    """Count the calls that it takes to hold so many outages of one service to the log."""
    past = Past()
    await steady(past.recorder)
    spans: list[Outage] = []
    for number in range(1, outages + 1):
        began = past.recorder.now
        await outage(past.recorder, number)
        past.recorder.now += timedelta(minutes=5)
        spans.append(Outage("demo-database", began, began + timedelta(seconds=30)))
    profile = Profile()
    with profile:
        checker = past.checker()
        for delivery in deliveries(past.log.stored):
            checker.delivered(delivery)
        for span in spans:
            checker.out(span)
        checker.end(past.recorder.now)
    assert checker.invariants[4].exercised["outages told"] == outages
    return sum(entry.callcount for entry in profile.getstats())


async def test_twice_the_outages_take_twice_the_steps() -> None:
    once, twice = await calls_of_outages(40), await calls_of_outages(80)
    assert twice < 2.2 * once
