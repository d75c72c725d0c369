"""An embedded log that hangs for a minute is killed and started anew: nothing accepted is lost."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from effects.recovery.child import Refused
from standfast.emergency.reading import OutageReader
from standfast.emergency.spool import SPOOL
from standfast.supervisor.processes import LOG, log_spec

if TYPE_CHECKING:
    from effects.recovery.process import ChildProcesses
    from standfast.emergency.records import Outage
    from standfast.paths import StateDirectory

LOOK_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
AGAIN_SECONDS = 120.0
_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class LogKeeper:
    """Looks at the prober's spool, where it is said since when the log takes nothing, and why."""

    directory: StateDirectory
    children: ChildProcesses

    async def keep(self) -> None:
        """Look for as long as the supervisor lives."""
        reader = OutageReader(self.directory.emergency / SPOOL)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            outage = reader.read()
            if outage is not None and should_restart(outage, datetime.now(UTC)):
                await self._restart()
                await asyncio.sleep(AGAIN_SECONDS)

    async def _restart(self) -> None:
        _LOGGER.error("the log hangs; it is started anew")
        outcome = await self.children.restart(log_spec(self.directory))
        if isinstance(outcome, Refused):
            _LOGGER.error("%s: %s", LOG, outcome.reason)


def should_restart(outage: Outage, now: datetime) -> bool:
    """Say whether the log hangs, and has done so for long enough."""
    lasted_seconds = (now - outage.began.since).total_seconds()
    return outage.began.hangs and lasted_seconds >= PATIENCE_SECONDS
