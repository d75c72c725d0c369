"""A process is started or adopted once, and started again whenever it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from effects.recovery.child import Refused

if TYPE_CHECKING:
    from effects.recovery.child import ChildSpec
    from effects.recovery.process import ChildProcesses

RESTART_SECONDS_FIRST = 0.2
RESTART_SECONDS_MAX = 30.0
STEADY_SECONDS = 60.0
_LOGGER = logging.getLogger(__name__)


class StartFailedError(Exception):
    """Standfast could not be started; the message says why and what helps."""


async def start_or_adopt(children: ChildProcesses, spec: ChildSpec) -> None:
    """Start a process, or adopt the one that runs by the same command.

    Raises `StartFailedError`.
    """
    outcome = await children.start(spec)
    if isinstance(outcome, Refused):
        raise StartFailedError(f"{spec.name} could not be started: {outcome.reason}")
    if outcome.is_adopted and outcome.command != spec.command:
        await children.restart(spec)


async def keep(children: ChildProcesses, spec: ChildSpec) -> None:
    """Start a process again whenever it ends; slower each time it ends soon."""
    delay = RESTART_SECONDS_FIRST
    while True:
        began = time.monotonic()
        await children.wait_exit(spec.name)
        if time.monotonic() - began > STEADY_SECONDS:
            delay = RESTART_SECONDS_FIRST
        await asyncio.sleep(delay)
        outcome = await children.start(spec)
        if isinstance(outcome, Refused):
            _LOGGER.error("%s: %s", spec.name, outcome.reason)
        elif not outcome.is_adopted:  # else it was replaced on purpose
            _LOGGER.warning("%s ended; it was started again after %.1f s", spec.name, delay)
        delay = min(RESTART_SECONDS_MAX, delay * 2)
