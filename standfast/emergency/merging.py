"""What happened without the log is written into it, once: every command's id follows from it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from actors.platform import RecordOutage
from actors.service import ReportHealth
from events.address import EntityAddress
from events.base import Evidence
from events.platform import PlatformLogWasAway, PlatformToldWithoutLog
from events.subjects import TELEMETRY_STREAM
from standfast.emergency.spool import read_spool, stamp_of
from standfast.watchdog.journal import has_yielded, notices_told

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors.base import Command
    from actors.runtime.commands import Answer, CommandClient
    from events.streams import LogIdentity
    from standfast.emergency.records import Concluded, Outage
    from standfast.watchdog.journal import Sent

AT_ONCE_MAX = 64
PATIENCE_SECONDS = 4.0
_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class Merger:
    """Tells the log of one platform. `journal` is the watchdog's, where it keeps whom it told."""

    commands: CommandClient
    identity: LogIdentity
    platform: str
    journal: Path
    _written: set[str] = field(default_factory=set)
    _read: int | None = 0

    async def merge_told(self) -> None:
        """Write down who was told by the watchdog. Raises `NoAnswerError`."""
        if (stamp := stamp_of(self.journal)) is not None and stamp == self._read:
            return
        told = notices_told(read_spool(self.journal))
        self._written &= {sent.key for sent in told}
        for sent in told:
            if sent.key not in self._written:
                await self._record(told_fact(sent), sent.key, sent.at)
                self._written.add(sent.key)
        self._read = stamp

    def has_yielded(self, outage: Outage) -> bool:
        """Say whether the watchdog tells nobody anything more about services in this outage."""
        return has_yielded(read_spool(self.journal), outage.id)

    async def merge(self, outage: Outage, done: int) -> int:
        """Write down conclusions after the first `done`; gives how many are written then.

        Those about one service go in order, and of different services many at once.
        Raises `NoAnswerError`.
        """
        conclusions = outage.conclusions
        while done < len(conclusions):
            count = _different(conclusions[done : done + AT_ONCE_MAX])
            some = range(done, done + count)
            await asyncio.gather(*[self._report(outage, number) for number in some])
            done += count
        return done

    async def finish(self, outage: Outage) -> None:
        """Write down that the log was away. Raises `NoAnswerError`."""
        now = datetime.now(UTC)
        fact = PlatformLogWasAway(
            since=outage.began.since,
            until=now,
            reason=outage.began.reason,
            conclusions=len(outage.conclusions),
        )
        await self._record(fact, f"{outage.id}.ended", now)

    async def _report(self, outage: Outage, number: int) -> None:
        one = outage.conclusions[number]
        answer = await self._send(
            EntityAddress("service", one.service),
            self._command(one),
            f"{outage.id}.{number}",
            one.observed,
        )
        _LOGGER.info("%s %s: %s %s", one.service, one.verdict, answer.outcome, answer.message)

    def _command(self, one: Concluded) -> ReportHealth:
        return ReportHealth(
            verdict=one.verdict,
            since=one.since,
            check=one.check,
            reason=one.reason,
            is_past=True,
            evidence=Evidence(
                stream=TELEMETRY_STREAM,
                log_id=self.identity.log_id,
                generation=self.identity.generation,
                first=0,
                last=0,
                excerpt=one.excerpt,
            ),
        )

    async def _record(
        self, fact: PlatformToldWithoutLog | PlatformLogWasAway, command_id: str, time: datetime
    ) -> None:
        target = EntityAddress("platform", self.platform)
        await self._send(target, RecordOutage(fact=fact), command_id, time)

    async def _send(
        self, target: EntityAddress, command: Command, command_id: str, time: datetime
    ) -> Answer:
        return await self.commands.send(
            target,
            command,
            command_id=command_id,
            time=time,
            patience_seconds=PATIENCE_SECONDS,
        )


def told_fact(sent: Sent) -> PlatformToldWithoutLog:
    """Give the fact that somebody was told."""
    return PlatformToldWithoutLog(
        alert=sent.page.alert,
        status=sent.notice.status,
        level=sent.notice.level,
        receiver=sent.receiver,
        told_at=sent.at,
        summary=sent.page.annotations.get("summary", ""),
        services=sent.page.services,
    )


def _different(conclusions: Sequence[Concluded]) -> int:
    """Give how many of the first speak of different services."""
    seen: set[str] = set()
    for one in conclusions:
        if one.service in seen:
            break
        seen.add(one.service)
    return len(seen)
