"""Processes of a run that are started again when they end, as an init system would."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from effects.ending import end_tasks
from effects.recovery.running import wait_end
from scenarios.faults.recorded import Recorded, record, remember

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = "kept"
"""Where it is written down who runs, for whoever ends what a killed run left."""
AGAIN_SECONDS = 0.3
STOP_SECONDS = 20.0


@dataclass(slots=True)
class Kept:
    """One process, kept running from `start` to `stop` whoever kills it."""

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    stop_seconds: float = STOP_SECONDS
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _recorded: Recorded | None = None
    _keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and again whenever it ends."""
        self._launch()
        self._keeping = asyncio.create_task(self._keep())

    @property
    def recorded(self) -> Recorded | None:
        """The process as it runs now; None while it is down."""
        found = self._recorded
        return found if found is not None and found.is_alive else None

    @property
    def output(self) -> Path:
        """What it printed."""
        return self.directory / f"{self.name}.log"

    async def stop(self) -> None:
        """End it in good order, and kill -9 what does not go."""
        if self._keeping is not None:
            await end_tasks([self._keeping])
        process, found = self._process, self._recorded
        if process is None or found is None:
            return
        found.send(signal.SIGCONT)
        found.send(signal.SIGTERM)
        if not await wait_end(found.seen, self.stop_seconds):
            found.kill()
            await wait_end(found.seen, STOP_SECONDS)
        process.wait(STOP_SECONDS)

    def _launch(self) -> None:
        with self.output.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.directory,
                env={**_inherited(), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._recorded = record(self.name, self._process.pid)
        if self._recorded is not None:
            remember(self.directory / RECORDS, self._recorded)
        self.starts += 1

    async def _keep(self) -> None:
        while True:
            process, found = self._process, self._recorded
            assert process is not None, "it was started"
            if found is not None:
                await wait_end(found.seen)
            process.wait(STOP_SECONDS)
            await asyncio.sleep(AGAIN_SECONDS)
            self._launch()


def _inherited() -> dict[str, str]:
    """Give our environment without a measurement of coverage: it slows all, and kills lose it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}
