"""A run: a stand, commands at a pace, faults by chance, quiet, and all of it held to account."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scenarios.checker.checker import Checker
from scenarios.checker.collect import RunHeading, collect
from scenarios.checker.report import claims_of
from scenarios.checker.run import check_run
from scenarios.faults.closing import resolve_drills
from scenarios.faults.injecting import Injector
from scenarios.faults.journal import Injected, Journal
from scenarios.faults.quiet import unrest_after
from scenarios.faults.schedule import Schedule
from scenarios.faults.stand import HOSTS, Stand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scenarios.checker.report import Report

STEADY_SECONDS = 3.0
DETECTED_SECONDS = 60.0
"""Who watches is frozen and cut off as well: so long an outage may stay unseen."""

BY_CHANCE = frozenset(
    {
        "acknowledged: unchanging",
        "world: acted",
        "world: denied",
        "due: outages told",
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
    """What came of a run. `unrest` says what did not come to rest after it, if anything."""

    settings: RunSettings
    report: Report
    unrest: str

    @property
    def in_flight(self) -> int:
        """How many commands were in flight as the faults began, in all."""
        return sum(fault.in_flight for fault in self.report.faults)

    @property
    def is_clean(self) -> bool:
        """Say whether all invariants hold, all came to rest, and faults met commands."""
        return self.report.is_clean and not self.unrest and self.in_flight > 0


async def run_faults(
    settings: RunSettings, directory: Path, told: Callable[[Injected], None]
) -> Ran:
    """Run, leave in a directory what the checker needs, and check it. What was there is removed.

    Raises `StandFailedError`.
    """
    _empty(directory)
    stand = Stand(directory, settings.seed, settings.per_second)
    journal = Journal(directory / "faults.jsonl", told)
    try:
        await stand.start()
        unrest = await _hurt(stand, settings, journal)
    finally:
        journal.close()
        await stand.stop()
    return Ran(settings, await asyncio.to_thread(check_run, directory), unrest)


async def _hurt(stand: Stand, settings: RunSettings, journal: Journal) -> str:
    """Do it all to a stand that has started; gives what did not come to rest afterwards."""
    began = datetime.now(UTC)
    assert stand.client is not None, "the stand has started"
    await stand.start_workers()
    await asyncio.sleep(STEADY_SECONDS)
    await Injector(stand, journal, Schedule(settings.seed)).run(settings.faults, settings.seconds)
    await stand.stop_workers()
    await resolve_drills(stand.client, stand.directory)
    unrest = await unrest_after(stand)
    await stand.stop_watching()
    heading = RunHeading(
        began,
        settings.seed,
        {**asdict(settings), "detected_seconds": DETECTED_SECONDS},
        MUST_EXERCISE,
    )
    await collect(await stand.log(), HOSTS, heading, stand.directory)
    return unrest


def _empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
