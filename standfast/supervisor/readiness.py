"""Ready means that every service has a first verdict: the web process says so."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from standfast.config.model import Configuration

PATIENCE_SECONDS = 60.0
ASK_SECONDS = 2.0
RETRY_SECONDS = 0.1


class NotReadyError(Exception):
    """Some services have no verdict yet; the message says which."""


async def wait_until_ready(configuration: Configuration) -> None:
    """Ask `/readyz` until it says yes. Raises `NotReadyError` when patience ends."""
    slowest = max(
        (check.interval_seconds for one in configuration.services.values() for check in one.checks),
        default=0.0,
    )
    until = time.monotonic() + PATIENCE_SECONDS + slowest
    answer = "no answer"
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while time.monotonic() < until:
            try:
                async with session.get(f"{configuration.web.url}/readyz") as response:
                    if response.ok:
                        return
                    answer = (await response.text())[:500]
            except (aiohttp.ClientError, TimeoutError) as error:
                answer = str(error)
            await asyncio.sleep(RETRY_SECONDS)
    raise NotReadyError(answer)
