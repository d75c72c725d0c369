"""The canary is a target that is always there: when it can't be seen, the watcher is blind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from effects.ports import Observed

INTERVAL_SECONDS = 5.0


class Canary:
    """Looks at its target now and then, and whenever somebody must know at once."""

    def __init__(
        self,
        look: Callable[[], Awaitable[Observed]],
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._look = look
        self._interval = interval_seconds
        self._looking = asyncio.Lock()
        self._looks = 0
        self.is_failing = False
        self.reason = ""

    async def run(self) -> None:
        """Look at each interval for as long as the process lives."""
        while True:
            await self.confirm()
            await asyncio.sleep(self._interval)

    async def confirm(self) -> None:
        """Look once more, from after this call on; many who ask at once share one look."""
        wanted = self._looks + 1
        async with self._looking:
            if self._looks < wanted:
                self._looks += 1
                seen = await self._look()
                self.is_failing, self.reason = not seen.succeeded, seen.reason
