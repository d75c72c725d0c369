"""Looking for a seed that fails: short runs in which much goes wrong."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from scenarios.bugs import BUGS
from scenarios.simulation.run import simulate
from scenarios.simulation.settings import SimulationSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenarios.simulation.run import Result

SEEDS_MAX = 200
STORMY = {"days": 0.012, "services": 5, "failures_per_day": 250.0, "faults_per_day": 2000.0}
"""A quarter of an hour of five services; each minute one of them fails, and something of ours."""

ROUGH = {"days": 0.1, "services": 20, "failures_per_day": 20.0, "faults_per_day": 600.0}
"""Two hours of twenty services: there is time to escalate, to give up, and to begin anew."""


NOT_SIMULATED = frozenset({"acknowledged: unchanging", "world: told without the log"})
"""What no simulation exercises: nobody asks for what is so already, and no host tells people of
itself: that is held against what the supervisor knows."""


def never_exercised(results: Iterable[Result]) -> list[str]:
    """Name the claims that some runs could have exercised, and none of them did."""
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result.exercised)
    return [claim for claim, count in counts.items() if not count and claim not in NOT_SIMULATED]


def rough(seed: int) -> SimulationSettings:
    """Give the settings of a longer run in which much goes wrong."""
    return SimulationSettings.model_validate({"seed": seed, **ROUGH})


def stormy(seed: int, bug: str = "") -> SimulationSettings:
    """Give the settings of a short run in which much goes wrong."""
    return SimulationSettings.model_validate({"seed": seed, "bug": bug, **STORMY})


def seeds_to_find(bug: str, first: int = 1, most: int = SEEDS_MAX) -> tuple[int, Result | None]:
    """Give how many seeds it takes to find a bug, and the run; more than `most` is not found.

    It is found by a seed that breaks what the bug must break, and is clean without it.
    """
    breaks = set(BUGS[bug].breaks)
    for count in range(1, most + 1):
        seed = first + count - 1
        result = simulate(stormy(seed, bug))
        if breaks.intersection(result.broken) and not simulate(stormy(seed)).problems:
            return count, result
    return most + 1, None
