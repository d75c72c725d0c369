"""An embedded log is started anew where that helps: it hangs, or never got over a failed write."""

from __future__ import annotations

import asyncio
import logging
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from effects.recovery.child import Refused, Running
from standfast.emergency.diagnosis import FREE_BYTES_MIN, diagnose
from standfast.emergency.reading import OutageReader
from standfast.emergency.spool import SPOOL
from standfast.supervisor.processes import LOG, log_spec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from effects.recovery.process import ChildProcesses
    from events.log import Log
    from standfast.emergency.records import Outage
    from standfast.paths import StateDirectory

LOOK_SECONDS = 5.0
PATIENCE = timedelta(seconds=60)
AGAIN_SECONDS = 120.0
STORING_LOOK_SECONDS = 2.0
REFUSING_LOOKS_MAX = 3
PAUSE_SECONDS_FIRST = 10.0
PAUSE_SECONDS_MAX = 120.0
_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class LogKeeper:
    """Starts a log anew that has hung for long: nothing it accepted is lost.

    The prober's spool says since when it takes nothing; whether it hangs is looked at again.
    """

    directory: StateDirectory
    children: ChildProcesses
    log: Callable[[], Log]
    _hung_since: datetime | None = None

    async def keep(self) -> None:
        """Look for as long as the supervisor lives."""
        reader = OutageReader(self.directory.emergency / SPOOL)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if await self.has_hung_long(reader.read(), datetime.now(UTC)):
                _LOGGER.error("the log hangs; it is started anew")
                await restart_log(self.directory, self.children)
                self._hung_since = None
                await asyncio.sleep(AGAIN_SECONDS)

    async def has_hung_long(self, outage: Outage | None, now: datetime) -> bool:
        """Say whether the log hangs, and has done so at each look for long enough."""
        if outage is None or not await self._hangs():
            self._hung_since = None
            return False
        if self._hung_since is None:
            self._hung_since = outage.began.since if outage.began.hangs else now
        return now - self._hung_since >= PATIENCE

    async def _hangs(self) -> bool:
        """Say whether its process is there, and does not answer.

        One that stopped to answer loses its connections in the end. One that can't be reached
        from the beginning may be reading what it holds.
        """
        if not isinstance(self.children.look(LOG), Running):
            return False
        log = self.log()
        if not log.client.is_connected:
            return self._hung_since is not None
        return (await diagnose(log, None)).hangs


@dataclass(slots=True)
class StorageKeeper:
    """Starts a log anew that answers and stores nothing, slower each time it did not help.

    `refuses` says whether hosts that are reached through the log can't write into it for a while.
    """

    directory: StateDirectory
    children: ChildProcesses
    log: Callable[[], Log]
    refuses: Callable[[], Awaitable[bool]]
    pause_seconds: float = PAUSE_SECONDS_FIRST

    async def keep(self) -> None:
        """Look for as long as the supervisor lives."""
        looks = 0
        while True:
            await asyncio.sleep(STORING_LOOK_SECONDS)
            looks = looks + 1 if await self._refuses() else 0
            if looks >= REFUSING_LOOKS_MAX and await self._restart_helps():
                _LOGGER.warning("the log answers and stores nothing; it is started again")
                await restart_log(self.directory, self.children)
                looks = 0
                await asyncio.sleep(self.pause_seconds)
                self.pause_seconds = min(PAUSE_SECONDS_MAX, 2 * self.pause_seconds)

    async def _refuses(self) -> bool:
        refuses = await self.refuses()
        if not refuses:
            self.pause_seconds = PAUSE_SECONDS_FIRST
        return refuses

    async def _restart_helps(self) -> bool:
        """Say whether the log refuses for what it does not get over by itself."""
        if shutil.disk_usage(self.directory.log).free < FREE_BYTES_MIN:
            return False
        return (await diagnose(self.log(), None)).restart_helps


async def restart_log(directory: StateDirectory, children: ChildProcesses) -> None:
    """Stop the embedded log, and start it."""
    outcome = await children.restart(log_spec(directory))
    if isinstance(outcome, Refused):
        _LOGGER.error("%s: %s", LOG, outcome.reason)
