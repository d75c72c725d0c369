"""What is due fires once, in order, and clocks that step are noticed."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from actors.runtime.timers import Timers
from events.address import EntityAddress
from tests.deciding import NOW, later
from tests.waiting import until

A, B = EntityAddress("alert", "a"), EntityAddress("alert", "b")


class World:
    """Clocks that a test sets, and what the timers said."""

    def __init__(self) -> None:
        self.now, self.steady = NOW, 0.0
        self.fired: list[EntityAddress] = []
        self.steps: list[float] = []
        self.timers = Timers(self.clock, lambda: self.steady, self.fired.append, self.steps.append)

    def clock(self) -> datetime:
        return self.now

    def due_at(self, seconds: float) -> list[EntityAddress]:
        self.fired.clear()
        self.timers.fire_due(later(seconds))
        return list(self.fired)


def test_what_is_due_fires_once_in_its_order() -> None:
    world = World()
    world.timers.arm(A, later(20))
    world.timers.arm(B, later(10))
    assert world.due_at(9.9) == []
    assert world.due_at(30) == [B, A]
    assert world.due_at(30) == []


def test_only_the_last_due_time_counts() -> None:
    world = World()
    for seconds in (10, 5, 20, 20):
        world.timers.arm(A, later(seconds))
    assert world.timers.due(A) == later(20)
    assert world.due_at(15) == []
    assert world.due_at(20) == [A]


def test_what_is_disarmed_or_forgotten_does_not_fire() -> None:
    world = World()
    world.timers.arm(A, later(1))
    world.timers.arm(B, later(1))
    world.timers.arm(A, None)
    world.timers.forget(B)
    world.timers.forget(B)
    assert world.due_at(10) == []
    assert world.timers._sleep_seconds() == 1.0


def test_it_sleeps_until_the_next_is_due_but_never_long() -> None:
    world = World()
    assert world.timers._sleep_seconds() == 1.0
    world.timers.arm(A, later(0.25))
    assert world.timers._sleep_seconds() == 0.25
    world.now = later(3)
    assert world.timers._sleep_seconds() == 0.0


async def test_a_step_of_the_wall_clock_is_reported_and_what_became_due_fires() -> None:
    world = World()
    world.timers.arm(A, later(100))
    running = asyncio.create_task(world.timers.run())
    await asyncio.sleep(0)
    world.now += timedelta(seconds=200)
    world.timers.arm(B, later(1000))
    await until(lambda: world.steps == [200.0])
    await until(lambda: world.fired == [A])
    world.now -= timedelta(seconds=50)
    world.timers.arm(B, later(2000))
    await until(lambda: world.steps == [200.0, -50.0])
    running.cancel()
    await asyncio.wait([running])


async def test_time_that_passes_on_both_clocks_is_no_step() -> None:
    world = World()
    running = asyncio.create_task(world.timers.run())
    await asyncio.sleep(0)
    world.now, world.steady = later(50), 50.0
    world.timers.arm(A, later(40))
    await until(lambda: world.fired == [A])
    assert world.steps == []
    running.cancel()
    await asyncio.wait([running])
