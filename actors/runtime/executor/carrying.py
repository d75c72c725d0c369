"""Carrying one errand out: prepare, begin, run within its time; whatever comes is a result."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from effects.catalogue import find_effect
from effects.contract import (
    Cancelled,
    CancelledByRequestError,
    Failed,
    OverdueError,
    Result,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from effects.contract import Assignment, Effect, Guard, Progress

P = TypeVar("P")
GRACE_SECONDS = 0.5
"""How long after the deadline an effect may take to come back, without any step."""

NOT_BEGUN = Failed("the deadline passed before it began; nothing was done")
_LOGGER = logging.getLogger(__name__)


async def carry_out(
    effects: Mapping[str, Effect[Any]],
    assignment: Assignment,
    guard: Guard,
    progress: Progress,
    begin: Callable[[], Awaitable[None]],
) -> Result:
    """Carry an assignment out. `begin` puts down that from now on it may have happened."""
    effect = find_effect(effects, assignment.intent.effect)
    if isinstance(effect, Failed):
        return effect
    prepared = await _prepare(effect, assignment, guard)
    if isinstance(prepared, Failed | Cancelled):
        return prepared
    try:
        await begin()
    except OSError as error:
        return Failed(f"the executor's journal can't be written: {error.strerror}")
    return await _run(effect, prepared, guard, progress)


async def find_out(
    effects: Mapping[str, Effect[Any]], assignment: Assignment, began: datetime
) -> Result:
    """Say how something ended that began in an earlier life of the executor."""
    name = assignment.intent.effect
    effect = find_effect(effects, name)
    if isinstance(effect, Failed):
        return Unknown(f"nobody knows how {name} ended: its executor did; {effect.reason}")
    try:
        return await effect.verify(assignment, began)
    except Exception as error:
        _LOGGER.exception("%s of %s could not be verified", name, assignment.key)
        return Unknown(f"nobody knows how {name} ended ({type(error).__name__})")


async def _prepare(
    effect: Effect[P], assignment: Assignment, guard: Guard
) -> P | Failed | Cancelled:
    """Prepare within the deadline. An error in an effect is the end of this one errand."""
    try:
        guard.check()
        async with asyncio.timeout(guard.left_seconds):
            prepared = await effect.prepare(assignment)
        guard.check()
    except (OverdueError, TimeoutError):
        return NOT_BEGUN
    except CancelledByRequestError:
        return Cancelled("it was stopped before it began", undone=True)
    except Exception as error:
        _LOGGER.exception("%s could not be prepared", assignment.key)
        return Failed(f"{assignment.intent.effect} broke in preparing ({type(error).__name__})")
    return prepared


async def _run(effect: Effect[P], prepared: P, guard: Guard, progress: Progress) -> Result:
    try:
        async with asyncio.timeout(max(0.0, guard.left_seconds) + GRACE_SECONDS):
            return await effect.run(prepared, guard, progress)
    except (OverdueError, TimeoutError):
        return _overdue(guard)
    except CancelledByRequestError:
        return await _undo(effect, prepared, guard)
    except Exception as error:
        _LOGGER.exception("an effect broke after: %s", guard.last_step)
        return Unknown(f"it broke after: {guard.last_step} ({type(error).__name__})")


def _overdue(guard: Guard) -> Result:
    if not guard.last_step:
        return NOT_BEGUN
    return Unknown(f"it stopped itself at its deadline, after: {guard.last_step}")


async def _undo(effect: Effect[P], prepared: P, guard: Guard) -> Cancelled:
    """Undo what was done before the stop, while there is time."""
    if not guard.last_step:
        return Cancelled("it was stopped before its first step", undone=True)
    undone = False
    try:
        async with asyncio.timeout(max(0.0, guard.left_seconds)):
            undone = await effect.undo(prepared)
    except TimeoutError:
        pass
    return Cancelled(f"it was stopped after: {guard.last_step}", undone=undone)
