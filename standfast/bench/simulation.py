"""The simulator: how much faster than time it is, and how soon it finds what it is for."""

from __future__ import annotations

import asyncio
from statistics import median

from scenarios.simulation.run import simulate
from scenarios.simulation.search import SEEDS_MAX, seeds_to_find
from scenarios.simulation.settings import SimulationSettings, again
from standfast.bench.figure import Figure, Goal
from standfast.bench.ground import GroundError
from standfast.bench.measurement import Measurement

SERVICES, DAYS, SEED, ROUNDS = 100, 0.5, 7, 3
PROBLEMS_SHOWN_MAX = 3
BUGS = {
    "seeds_to_find_missing_fence": "missing-fence",
    "seeds_to_find_skipped_intent": "skipped-intent",
    "seeds_to_find_lost_timer": "lost-timer",
}


async def measure_speed() -> list[Figure]:
    """Measure half a day of a hundred services, on one core."""
    return [await asyncio.to_thread(_speed)]


def _speed() -> Figure:
    settings = SimulationSettings(seed=SEED, days=DAYS, services=SERVICES)
    results = [simulate(settings) for _ in range(ROUNDS)]
    for result in results:
        if result.problems:
            problems = "; ".join(result.problems[:PROBLEMS_SHOWN_MAX])
            message = f"the measured run is not clean, so its speed says nothing: {problems}"
            raise GroundError(f"{message}; again: {again(settings)}")
    speedup = median(result.speedup for result in results)
    return Figure("speedup", speedup, "x", "higher", goal=Goal(10_000))


async def measure_search() -> list[Figure]:
    """Count the seeds that it takes to find each bug."""
    return [await asyncio.to_thread(_search, name, bug) for name, bug in BUGS.items()]


def _search(name: str, bug: str) -> Figure:
    count, _ = seeds_to_find(bug)
    return Figure(name, float(count), "seeds", "lower", goal=Goal(SEEDS_MAX))


SIMULATION: tuple[Measurement, ...] = (
    Measurement("speed", measure_speed),
    Measurement("bugs seeded on purpose", measure_search),
)
