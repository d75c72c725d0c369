"""Simulated trouble: clean by every seed, the same by the same seed, and not blind to bugs."""

from __future__ import annotations

import secrets
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors.runtime.drain import Drainer
from actors.runtime.timers import Timers
from scenarios.bugs import BUGS
from scenarios.simulation.plan import Mishap, draw_plan
from scenarios.simulation.run import simulate
from scenarios.simulation.search import (
    SEEDS_MAX,
    never_exercised,
    rough,
    seeds_to_find,
    stormy,
)
from scenarios.simulation.settings import SimulationSettings, again
from scenarios.simulation.shrink import keep, read_case, shrink
from tests.coverage_flush import CHILD_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from actors.runtime.entity import Entity
    from actors.runtime.letters import Draft
    from events.address import EntityAddress
    from scenarios.simulation.run import Result

CASES_FOLDER = Path(__file__).parent / "simulation_cases"
CASES = sorted(CASES_FOLDER.glob("*.json"))
SEEDS, ROUGH_EACH = 50, 10
FIRST = secrets.randbelow(2**31)
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(900)
def test_fifty_seeds_are_clean_and_exercise_every_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sys.stdout.write(f"seeds {FIRST} to {FIRST + SEEDS - 1}\n")
    monkeypatch.delenv(CHILD_VARIABLE, raising=False)  # there, no lines are counted
    results: list[Result] = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as beside:
        for result in beside.map(simulate, map(_settings, range(FIRST, FIRST + SEEDS))):
            if result.problems:
                pytest.fail("\n".join(_told(result, tmp_path)))
            results.append(result)
    assert never_exercised(results) == []


def _settings(seed: int) -> SimulationSettings:
    """Give a short run in which much goes wrong, and now and then a longer one."""
    return stormy(seed) if seed % ROUGH_EACH else rough(seed)


def _told(result: Result, folder: Path) -> Iterator[str]:
    """Say what a person needs to look into a seed that failed, and make it a case."""
    yield f"a {'stormy' if result.settings.seed % ROUGH_EACH else 'rough'} seed failed"
    yield f"again: {again(result.settings)}"
    yield from result.problems[:5]
    yield from result.last_steps[-30:]
    case = shrink(result.settings)
    if case is not None:
        yield f"{len(case.plan)} mishaps are enough; to be kept in {CASES_FOLDER.name}:"
        yield keep(case, folder).read_text()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_seed_that_failed_once_fails_no_more(path: Path) -> None:
    case = read_case(path)
    assert simulate(case.settings, case.plan).problems == ()


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.timeout(900)
def test_a_bug_is_found_within_two_hundred_seeds_by_what_it_must_break(bug: str) -> None:
    count, result = seeds_to_find(bug)
    assert count <= SEEDS_MAX
    assert result is not None
    assert set(result.broken) & set(BUGS[bug].breaks)
    assert simulate(result.settings.model_copy(update={"bug": ""})).problems == ()


@pytest.mark.parametrize("bug", ["missing-fence", "skipped-intent"])
def test_the_last_step_that_is_kept_is_the_one_that_broke_something(bug: str) -> None:
    _, result = seeds_to_find(bug)
    assert result is not None
    *_, broke, said = result.last_steps
    assert said.partition("BROKEN: ")[2] in result.problems
    assert said.split()[0] == broke.split()[0], "at the same moment"


def test_a_seed_gives_the_same_log_in_every_process() -> None:
    program = (
        "from scenarios.simulation.run import simulate\n"
        "from scenarios.simulation.search import stormy\n"
        "print(simulate(stormy(11)).digest)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hashes},
        ).stdout
        for hashes in ("1", "2")
    }
    assert len(digests) == 1
    assert digests != {simulate(stormy(12)).digest + "\n"}


def test_a_failing_seed_is_made_smaller_and_kept(tmp_path: Path) -> None:
    settings = stormy(1, "missing-mark")
    case = shrink(settings, seconds=20.0)
    assert case is not None
    assert len(case.plan) < len(draw_plan(settings))
    path = keep(case, tmp_path)
    again = read_case(path)
    assert again == case
    assert simulate(again.settings, again.plan).problems


@pytest.mark.parametrize(
    ("plan", "noticed_by_seconds"),
    [((Mishap(at_seconds=95.0, what="kill", target="coordinator"),), 95.0), ((), 240.0)],
)
def test_a_state_in_memory_that_is_not_the_logs_is_noticed_at_a_kill_and_when_all_is_calm(
    monkeypatch: pytest.MonkeyPatch, plan: tuple[Mishap, ...], noticed_by_seconds: float
) -> None:
    original = Drainer._commit

    async def forgetting(drainer: Drainer, entity: Entity, draft: Draft) -> None:
        await original(drainer, entity, draft)
        if entity.address.kind == "topology":
            entity.state = entity.decider.initial

    monkeypatch.setattr(Drainer, "_commit", forgetting)
    result = simulate(SimulationSettings(seed=5, days=0.012, services=2), plan)
    assert result.problems == (
        "history: topology/main: its live state is not what its events lead to",
    )
    assert float(result.last_steps[-1].split()[0]) <= noticed_by_seconds


def test_what_comes_late_has_only_the_mishaps_as_an_excuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timers of a host that is slow are late; while the log is paused nobody blames them."""
    plan = (Mishap(at_seconds=100.0, what="service: broken", target="s000"),)
    settings = SimulationSettings(seed=5, days=0.012, services=1)
    original = Timers.arm

    def slowly(timers: Timers, address: EntityAddress, due: datetime | None) -> None:
        original(timers, address, due and due + timedelta(seconds=20))

    assert simulate(settings, plan).problems == ()
    monkeypatch.setattr(Timers, "arm", slowly)
    late = simulate(settings, plan)
    assert late.broken == ("due",)
    paused = Mishap(at_seconds=380.0, what="log paused", lasts_seconds=60.0)
    assert len(simulate(settings, (*plan, paused)).problems) < len(late.problems)


def test_a_full_log_is_not_asked_as_fast_as_it_can() -> None:
    """An alert is due to escalate while the log is full: it is tried about once a second."""
    settings = SimulationSettings(seed=5, days=0.012, services=1)
    plan = (
        Mishap(at_seconds=100.0, what="service: broken", target="s000"),
        Mishap(at_seconds=390.0, what="log full", lasts_seconds=60.0),
    )
    result = simulate(settings, plan)
    assert result.problems == ()
    assert 5 < result.counts["refused by the log"] < 200
