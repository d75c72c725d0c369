"""A failing run made smaller: as few mishaps as still make it fail, kept as a case."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from events.base import Value
from scenarios.simulation.plan import Mishap, draw_plan
from scenarios.simulation.run import simulate
from scenarios.simulation.settings import SimulationSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHRINK_SECONDS = 60.0


class Case(Value):
    """One run that failed once: it is run for ever."""

    settings: SimulationSettings
    plan: tuple[Mishap, ...]
    broke: str


_CASES: TypeAdapter[Case] = TypeAdapter(Case)


def shrink(settings: SimulationSettings, seconds: float = SHRINK_SECONDS) -> Case | None:
    """Leave out mishaps, many at once and then fewer, for as long as the run still fails.

    None where the run does not fail at all.
    """
    plan = draw_plan(settings)
    broke = broken_by(settings, plan)
    if not broke:
        return None
    until = time.monotonic() + seconds
    size = max(1, len(plan) // 2)
    while time.monotonic() < until:
        smaller = _without_some(plan, size, lambda one: bool(broken_by(settings, one)), until)
        if smaller == plan and size == 1:
            break
        size = size if smaller != plan else max(1, size // 2)
        plan = smaller
    return Case(settings=settings, plan=plan, broke=broken_by(settings, plan) or broke)


def broken_by(settings: SimulationSettings, plan: tuple[Mishap, ...]) -> str:
    """Give the first problem of a run; nothing where there is none."""
    return next(iter(simulate(settings, plan).problems), "")


def _without_some(
    plan: tuple[Mishap, ...],
    size: int,
    fails: Callable[[tuple[Mishap, ...]], bool],
    until: float,
) -> tuple[Mishap, ...]:
    """Go over a plan once, leaving out each part of a size that is not needed to fail."""
    place = 0
    while place < len(plan) and time.monotonic() < until:
        smaller = plan[:place] + plan[place + size :]
        if fails(smaller):
            plan = smaller
        else:
            place += size
    return plan


def keep(case: Case, folder: Path) -> Path:
    """Write a case into a folder, and give its file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"seed-{case.settings.seed}.json"
    path.write_text(json.dumps(case.model_dump(mode="json"), indent=1) + "\n")
    return path


def read_case(path: Path) -> Case:
    """Read a case. Raises `ValueError`."""
    return _CASES.validate_json(path.read_bytes())
