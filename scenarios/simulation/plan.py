"""What will go wrong in a run, drawn from the seed beforehand, so that it can be cut smaller."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from pydantic import NonNegativeFloat

from events.base import Value
from scenarios.simulation.cluster import HOSTED
from scenarios.simulation.settings import DAY_SECONDS
from scenarios.simulation.world import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenarios.simulation.settings import SimulationSettings

QUIET_SECONDS_FIRST = 90.0
"""Before this nothing goes wrong: all is being configured."""
PARTS = (*HOSTED, "executor", "edge")
CLOSE_SHARE = 0.2
"""Troubles seldom come alone."""
AT_WORK_SHARE, AT_WORK_SECONDS = 0.7, 40.0
"""Most faults come while Standfast is at work on a failure, or so soon after it began."""


class Mishap(Value):
    """One thing that goes wrong: when, what, to whom, for how long and how much."""

    at_seconds: NonNegativeFloat
    what: str
    target: str = ""
    lasts_seconds: NonNegativeFloat = 0.0
    amount: float = 0.0


FAULTS: tuple[tuple[str, tuple[str, ...], tuple[float, float], int], ...] = (
    ("kill", PARTS, (0, 0), 6),
    ("double", tuple(HOSTED), (2, 60), 3),
    ("zombie", tuple(HOSTED), (5, 60), 3),
    ("pause", PARTS, (0.5, 40), 4),
    ("kill at commit", PARTS, (0, 0), 4),
    ("kill at delivery", ("executor",), (0, 0), 2),
    ("pause at commit", PARTS, (0.5, 40), 2),
    ("cut at commit", PARTS, (0, 0), 2),
    ("cut", PARTS, (0, 0), 2),
    ("hold up", PARTS, (0.5, 20), 2),
    ("hold down", PARTS, (0.5, 20), 2),
    ("slow", PARTS, (5, 120), 1),
    ("lose acknowledgements", tuple(HOSTED), (5, 60), 5),
    ("log paused", ("",), (0.5, 30), 2),
    ("log killed", ("",), (0.5, 10), 2),
    ("log full", ("",), (5, 60), 1),
    ("clock steps", ("",), (20, 1200), 1),
    ("receiver", ("ops", "chat"), (10, 300), 2),
    ("buckets move", ("service", "alert", "recovery"), (5, 300), 2),
    ("blind", ("",), (30, 200), 1),
)
"""What may go wrong with Standfast itself: its name, its targets, how long, and how often."""


def draw_plan(settings: SimulationSettings) -> tuple[Mishap, ...]:
    """Draw all that goes wrong in a run, in the order of time."""
    failures = [*_failures(settings)]
    drawn = [*failures, *_faults(settings, failures)]
    return tuple(sorted(drawn, key=lambda one: one.at_seconds))


def _failures(settings: SimulationSettings) -> Iterator[Mishap]:
    chance = _chance(settings, "failures")
    names = [f"s{number:03d}" for number in range(settings.services)]
    for at in _moments(settings, chance, settings.failures_per_day * settings.services):
        kind, name = chance.choice(KINDS), chance.choice(names)
        yield Mishap(at_seconds=at, what=f"service: {kind}", target=name)


def _faults(settings: SimulationSettings, failures: list[Mishap]) -> Iterator[Mishap]:
    """Draw faults, many of them while Standfast is at work on a failure."""
    chance = _chance(settings, "faults")
    weights = [weight for *_, weight in FAULTS]
    for at in _moments(settings, chance, settings.faults_per_day):
        ((what, targets, lasts, _),) = chance.choices(FAULTS, weights)
        is_at_work = failures and chance.random() < AT_WORK_SHARE
        work = chance.choice(failures).at_seconds if is_at_work else at
        work += chance.uniform(0, AT_WORK_SECONDS) if is_at_work else 0
        yield Mishap(
            at_seconds=round(work, 3),
            what=what,
            target=chance.choice(targets),
            lasts_seconds=round(chance.uniform(*lasts), 3),
            amount=round(chance.uniform(-1, 1), 6),
        )


def _moments(settings: SimulationSettings, chance: Random, per_day: float) -> Iterator[float]:
    """Draw moments that come so often on average, some of them close together."""
    at, per_second = QUIET_SECONDS_FIRST, per_day / DAY_SECONDS
    while per_second > 0:
        seconds = chance.expovariate(per_second)
        at += min(seconds, chance.uniform(0.1, 10.0)) if chance.random() < CLOSE_SHARE else seconds
        if at >= settings.seconds:
            return
        yield round(at, 3)


def _chance(settings: SimulationSettings, name: str) -> Random:
    return Random(f"{settings.seed}/{name}")  # noqa: S311  (a seed must give the same again)
