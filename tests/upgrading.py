"""An installed Standfast that releases replace, and commands that flow meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.runtime.commands import Outcome
from actors.service import RequestProbe
from events.address import EntityAddress
from events.build import PACKAGES
from events.log import Log
from events.server import connect
from standfast.paths import StateDirectory
from standfast.runtime import Situation
from tests.standing import ROOT, Standing
from tests.uncovered import uncovered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scenarios.faults.worker import CommandLog

TARGETS = [EntityAddress("service", name) for name in ("demo-cache", "demo-app", "demo-database")]
PER_SECOND = 50
COPIED = shutil.ignore_patterns("__pycache__")


class Installed(Standing):
    """A Standfast that runs from packages which a test changes in place, as an installer does.

    Their lines are not ours, so they are not counted.
    """

    @property
    def environment(self) -> dict[str, str]:
        """What commands beside it need to find it."""
        return uncovered(super().environment)

    def change(self, file: str, old: str, new: str) -> None:
        """Change a file of the installed release; `old` must be there."""
        path = self.root / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new))

    def reinstall(self) -> None:
        """Install the release of the tree again."""
        for package in PACKAGES:
            shutil.copytree(ROOT / package, self.root / package, ignore=COPIED, dirs_exist_ok=True)

    async def builds(self) -> set[str]:
        """Give the builds of all that runs."""
        actors, status = await self.json("actors"), await self.json("status")
        ours = [one for one in status["processes"] if one["name"] not in ("log", "ray")]
        return {one["build"] for one in (*actors["hosts"], *ours)}

    async def host_pids(self) -> dict[str, int]:
        """Give the hosts that own anything, and their pids."""
        return {one["name"]: one["pid"] for one in (await self.json("actors"))["hosts"]}

    async def log(self) -> Log:
        """Open the log it runs with."""
        situation = Situation.read(StateDirectory(self.directory))
        return await Log.open(await connect(situation.runtime.address, "test"))


@dataclass
class Flow:
    """Commands that are sent all the time, how many were accepted, and the longest wait."""

    commands: CommandLog
    sent: int = 0
    accepted: int = 0
    longest_seconds: float = 0.0

    async def send(self) -> None:
        began, self.sent = time.monotonic(), self.sent + 1
        target = TARGETS[self.sent % len(TARGETS)]
        answer = await self.commands.send(target, RequestProbe(reason=f"flow {self.sent}"))
        self.accepted += answer is not None and answer.outcome in (Outcome.DONE, Outcome.DUPLICATE)
        self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            with contextlib.suppress(asyncio.CancelledError):
                while True:
                    group.create_task(self.send())
                    await asyncio.sleep(1 / PER_SECOND)


@contextlib.asynccontextmanager
async def flowing(commands: CommandLog) -> AsyncIterator[Flow]:
    """Send commands for as long as the block lasts, and wait for the last answers."""
    flow = Flow(commands)
    task = asyncio.create_task(flow.run())
    try:
        yield flow
    finally:
        task.cancel()
        await task
