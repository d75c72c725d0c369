"""What a host gave up to another writer it takes back later, where it is still the placed owner.

The other may have been a double that is dead by now: nobody else would ever answer for the bucket.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.runtime.ownership import Ownership

if TYPE_CHECKING:
    from actors.runtime.host import Host

TAKE_BACK_SECONDS = 5.0


@dataclass(slots=True)
class TakingBack:
    """Waits a while after a bucket was given up, then owns again what the placement says."""

    host: Host
    placed: Ownership = field(default_factory=Ownership)
    _waiting: asyncio.Task[None] | None = None

    async def own(self, placed: Ownership) -> None:
        """Own what a placement gives to the host, and remember it."""
        self.placed = placed
        await self.host.own(placed)

    def soon(self) -> None:
        """See that what was just given up is taken back; one wait serves all buckets."""
        if self._waiting is None or self._waiting.done():
            self._waiting = self.host.crew.spawn(self._take_back())

    async def _take_back(self) -> None:
        await asyncio.sleep(TAKE_BACK_SECONDS)
        self._waiting = None  # what is given up while it is taken back has a wait of its own
        await self.host.own(self.placed)
