"""Tests wait for what they claim, with a limit, and never just for time to pass."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(condition: Callable[[], object], timeout_seconds: float = 10.0) -> None:
    """Wait until a condition holds. Raises `TimeoutError`."""
    async with asyncio.timeout(timeout_seconds):
        while not condition():  # noqa: ASYNC110  (the world sends no event)
            await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Say whether a process has ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def wait_dead(pid: int) -> None:
    """Wait until a child of ours has ended, and leave it a zombie."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
