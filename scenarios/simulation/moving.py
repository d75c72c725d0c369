"""Moving buckets from host to host, as whoever replaces a release does it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from actors.runtime.moving import HAND_OVER, REHEARSE, NotMovedError, Share, ask_to
from scenarios.simulation.cluster import EXPECTED

if TYPE_CHECKING:
    from events.placement import BucketRange
    from scenarios.simulation.cluster import Cluster, Life

ASK_SECONDS = 12.0
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Move:
    """What moves from whom to whom, and where all is placed then.

    Where nothing is named in `share`, nobody is asked: both hear of it by the placement.
    """

    leaving: str
    taking: str
    share: Share
    placed: dict[str, tuple[BucketRange, ...]]


@dataclass(slots=True)
class Mover:
    """Makes one move after the other. What a host does not do when it is asked is done without."""

    cluster: Cluster
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def move(self, supervisor: Life, move: Move) -> None:
        """Rehearse, hand over, and place until it is placed."""
        async with self._turn:
            if move.share.ranges:
                with suppress(NotMovedError):
                    await self._ask(supervisor, move.taking, REHEARSE, move.share)
                    await self._ask(supervisor, move.leaving, HAND_OVER, move.share)
                    self.cluster.record.counts["handed over"] += 1
            await self._place(supervisor, move.placed)

    async def _ask(self, supervisor: Life, host: str, verb: str, share: Share) -> None:
        await ask_to(cast("Any", supervisor.client), host, verb, share, ASK_SECONDS)

    async def _place(self, supervisor: Life, placed: dict[str, tuple[BucketRange, ...]]) -> None:
        while True:
            try:
                await self.cluster.place(supervisor, placed)
            except EXPECTED:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return
