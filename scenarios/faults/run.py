"""A run: a stand, commands at a pace, faults by chance, quiet, and all of it held to account."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scenarios.checker.checker import Checker
from scenarios.checker.collect import RunHeading, collect
from scenarios.checker.report import claims_of
from scenarios.checker.run import check_run
from scenarios.checker.run_file import Pace
from scenarios.faults.closing import resolve_drills
from scenarios.faults.injecting import Injector
from scenarios.faults.injectors.disk import SYNCS_FAIL, tracing_trouble
from scenarios.faults.journal import Journal, JournalEntry
from scenarios.faults.place import claimed
from scenarios.faults.quiet import unrest_after
from scenarios.faults.schedule import Schedule
from scenarios.faults.stand import HOSTS, Stand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scenarios.checker.report import Report

STEADY_SECONDS = 3.0

BY_CHANCE = frozenset(
    {
        "acknowledged: unchanging",
        "world: denied",
        "world: told without the log",
        "due: mended again",
    }
)
"""Claims that a run may happen not to exercise."""

MUST_EXERCISE = tuple(claim for claim in claims_of(Checker().invariants) if claim not in BY_CHANCE)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How much is done: so many faults in so many seconds, at so many commands a second."""

    seed: int
    faults: int = 60
    seconds: float = 216.0
    per_second: float = 200.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run: `standfast check-run` on its directory gives the same report."""

    settings: RunSettings
    report: Report


async def run_faults(
    settings: RunSettings, directory: Path, told: Callable[[JournalEntry], None]
) -> Ran:
    """Run, leave in a directory what the checker needs, and check it. An earlier run is removed.

    Raises `StandFailedError`.
    """
    async with claimed(directory):
        stand = Stand(directory, settings.seed, settings.per_second)
        journal = Journal(directory / "faults.jsonl", told)
        try:
            trouble = await tracing_trouble(stand.home)
            await stand.start()
            await _hurt(stand, settings, journal, (f"{SYNCS_FAIL}: {trouble}",) if trouble else ())
        finally:
            journal.close()
            await stand.stop()
    return Ran(settings, await asyncio.to_thread(check_run, directory))


async def _hurt(
    stand: Stand, settings: RunSettings, journal: Journal, left_out: tuple[str, ...]
) -> None:
    """Do it all to a stand that has started, and collect what the checker needs."""
    began = datetime.now(UTC)
    assert stand.client is not None, "the stand has started"
    await stand.start_workers()
    await asyncio.sleep(STEADY_SECONDS)
    before, since = stand.commands(), time.monotonic()
    await Injector(stand, journal, Schedule(settings.seed)).run(settings.faults, settings.seconds)
    after = stand.commands()
    pace = Pace(
        asked_per_second=settings.per_second,
        seconds=time.monotonic() - since,
        invoked=after.invoked - before.invoked,
        skipped=after.skipped - before.skipped,
    )
    await stand.stop_workers()
    await resolve_drills(stand.client, stand.directory)
    unrest = await unrest_after(stand)
    await stand.stop_watching()
    heading = RunHeading(
        began,
        settings.seed,
        asdict(settings),
        MUST_EXERCISE,
        unrest,
        pace,
        settings.faults,
        left_out,
    )
    await collect(await stand.log(), HOSTS, heading, stand.directory)
