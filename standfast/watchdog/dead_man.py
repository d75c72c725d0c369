"""The dead man's switch: an address outside is asked for while all is well, and then no more."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from effects.notifiers.settings import shown_place
from effects.secrets import SecretUnavailableError, resolve

if TYPE_CHECKING:
    from datetime import datetime

    from effects.ports import Clock

TIMEOUT_SECONDS = 10.0
_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class DeadManSwitch:
    """Asks for `url` (a reference to a secret) once in each interval, when told that all is well.

    `trouble` says why the last try failed; its address is never shown.
    """

    url: str
    interval_seconds: float
    clock: Clock
    answered: datetime | None = None
    trouble: str = ""
    _next_seconds: float = 0.0

    async def ping(self) -> None:
        """Ask once, where it is time. Raises nothing: a failure is told by doctor."""
        if not self.url or self.clock.monotonic_seconds() < self._next_seconds:
            return
        self._next_seconds = self.clock.monotonic_seconds() + self.interval_seconds
        self.trouble = await self._ask()
        if self.trouble:
            _LOGGER.warning("the dead man's switch: %s", self.trouble)
        else:
            self.answered = self.clock.now()

    async def _ask(self) -> str:
        try:
            url = resolve(self.url)
        except SecretUnavailableError as error:
            return str(error)
        place = shown_place(url)
        timeout = aiohttp.ClientTimeout(total=min(TIMEOUT_SECONDS, self.interval_seconds))
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url) as answer,
            ):
                return "" if answer.ok else f"{place} answered {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return f"{place} could not be reached ({type(error).__name__})"
