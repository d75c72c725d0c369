"""A run: a stand, commands at a pace, faults by chance, quiet, and all that was seen, collected."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scenarios.faults.closing import resolve_drills
from scenarios.faults.injecting import Injector
from scenarios.faults.journal import Injected, Journal
from scenarios.faults.quiet import wait_until_quiet
from scenarios.faults.schedule import Schedule
from scenarios.faults.stand import Stand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMAT = 1
STEADY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How much is done: so many faults in so many seconds, at so many commands a second."""

    seed: int
    faults: int = 60
    seconds: float = 216.0
    per_second: float = 200.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did, before anything is checked."""

    injected: list[Injected]
    commands: int
    quiet_seconds: float


async def run_faults(
    settings: RunSettings, directory: Path, told: Callable[[Injected], None]
) -> Ran:
    """Run, and leave in a directory what the checker needs. What was there is removed.

    Raises `StandFailedError`, `NotQuietError`.
    """
    _empty(directory)
    stand = Stand(directory, settings.seed, settings.per_second)
    began = datetime.now(UTC)
    journal = Journal(directory / "faults.jsonl", told)
    try:
        await stand.start()
        await stand.start_workers()
        await asyncio.sleep(STEADY_SECONDS)
        injector = Injector(stand, journal, Schedule(settings.seed))
        await injector.run(settings.faults, settings.seconds)
        await stand.stop_workers()
        assert stand.client is not None, "the stand has started"
        await resolve_drills(stand.client, directory)
        quiet_seconds = await wait_until_quiet(stand)
        _write_run(directory, settings, began)
    finally:
        journal.close()
        await stand.stop()
    return Ran(journal.injected, stand.commands()[0], quiet_seconds)


def _empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)


def _write_run(directory: Path, settings: RunSettings, began: datetime) -> None:
    content = {
        "format": FORMAT,
        "seed": settings.seed,
        "began": began.isoformat(),
        "ended": datetime.now(UTC).isoformat(),
        "settings": asdict(settings),
    }
    (directory / "run.json").write_text(json.dumps(content, indent=1))
