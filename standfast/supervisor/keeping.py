"""A process that ends is started again, and work that fails is begun again."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from effects.recovery.child import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

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


async def keep(children: ChildProcesses, name: str, spec: Callable[[], ChildSpec]) -> None:
    """Start a process again whenever it ends; slower each time it ends soon.

    `spec` gives what it is to be run as now: an edited file may have changed that.
    """
    delay = RESTART_SECONDS_FIRST
    while True:
        began = time.monotonic()
        await children.wait_exit(name)
        if time.monotonic() - began > STEADY_SECONDS:
            delay = RESTART_SECONDS_FIRST
        await asyncio.sleep(delay)
        outcome = await children.start(spec())
        if isinstance(outcome, Refused):
            _LOGGER.error("%s: %s", name, outcome.reason)
        elif not outcome.is_adopted:  # else it was replaced on purpose
            _LOGGER.warning("%s ended; it was started again after %.1f s", name, delay)
        delay = min(RESTART_SECONDS_MAX, delay * 2)


async def insist(
    name: str,
    work: Callable[[], Coroutine[Any, Any, None]],
    delay_seconds_max: float = RESTART_SECONDS_MAX,
) -> None:
    """Do work until it ends by itself: what fails is begun again, slower each time it fails soon.

    Nothing it raises ends it: a supervisor that keeps no longer what it should is worse than one
    that says the same error twice a minute.
    """
    delay = RESTART_SECONDS_FIRST
    while True:
        began = time.monotonic()
        try:
            await work()
        except Exception:
            if time.monotonic() - began > STEADY_SECONDS:
                delay = RESTART_SECONDS_FIRST
            _LOGGER.exception("%s failed; it is begun again in %.1f s", name, delay)
            await asyncio.sleep(delay)
            delay = min(delay_seconds_max, delay * 2)
        else:
            return
