"""The lookout: it probes, and says what is to be thought of ourselves meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from effects.clock import SystemClock
from effects.lag import LoopLag
from effects.probes.any import AnyProbe
from effects.probes.canary import Canary
from evaluation.series import Reading
from events.service import TcpCheck

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from effects.ports import Observed
    from events.service import Check

CANARY_TIMEOUT_SECONDS = 1.0
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one probe saw, when it began, and whether it can be trusted."""

    moment: datetime
    seen: Observed
    lagged: bool
    canary_failed: bool

    @property
    def reading(self) -> Reading:
        """The result as an evaluator has it; it is in no message yet."""
        seen = self.seen
        return Reading(self.moment, seen.succeeded, seen.duration_seconds, seen.reason, 0)

    @property
    def distrust(self) -> str:
        """Why it counts for nothing; "" where it counts."""
        if self.lagged:
            return "the prober lagged"
        return "the prober did not see its canary either" if self.canary_failed else ""


class Lookout:
    """Probes for one process. Without a canary it looks at an ear of its own, on loopback.

    `children` is the directory in which supervised children are recorded.
    """

    def __init__(
        self,
        children: Path | None,
        canary: Check | None,
        canary_interval_seconds: float,
        lag: LoopLag,
    ) -> None:
        """Prepare; nothing is touched before `run`."""
        self._clock = SystemClock()
        self._probe = AnyProbe(children)
        self._canary_check = canary
        self._canary = Canary(self._look_at_canary, canary_interval_seconds)
        self._lag = lag

    async def run(self) -> None:
        """Look at ourselves for as long as the process lives."""
        ear = None if self._canary_check else await asyncio.start_server(_hang_up, LOOPBACK, 0)
        try:
            if ear is not None:
                self._canary_check = canary_at(LOOPBACK, ear.sockets[0].getsockname()[1])
            await asyncio.gather(self._lag.run(), self._canary.run())
        finally:
            if ear is not None:
                ear.close()
            await self._probe.close()

    async def look(self, check: Check) -> Sighting:
        """Probe once."""
        start, moment = self._clock.monotonic_seconds(), self._clock.now()
        seen = await self._probe.probe(check)
        if not seen.succeeded or self._canary.is_failing:
            await self._canary.confirm()
        lagged = self._lag.lagged_between(start, self._clock.monotonic_seconds())
        return Sighting(moment, seen, lagged or seen.own_fault, self._canary.is_failing)

    async def _look_at_canary(self) -> Observed:
        assert self._canary_check is not None, "the lookout runs"
        return await self._probe.probe(self._canary_check)


def canary_at(host: str, port: int) -> TcpCheck:
    """Give the check of a canary that listens there."""
    return TcpCheck(name="canary", host=host, port=port, timeout_seconds=CANARY_TIMEOUT_SECONDS)


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine by its name alone."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


async def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
