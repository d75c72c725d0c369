"""Ending tasks for certain: a cancellation can get lost in the libraries below (`wait_for`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

AGAIN_SECONDS = 0.5
TRIES_MAX = 20


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, in their order, again and again until all have ended."""
    left = list(tasks)
    for _ in range(TRIES_MAX):
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=AGAIN_SECONDS)
        left = [task for task in left if not task.done()]
    assert not left, f"these tasks do not end: {left}"
