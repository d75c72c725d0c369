"""How fresh the projections are: what pulse, spool and watchdog know that their rows do not say.

Rows that may be old say nothing of now: what was healthy is NO DATA until the log is heard again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from projections.base import moment_text
from standfast.emergency.reading import OutageReader
from standfast.emergency.records import Concluded
from standfast.emergency.spool import SPOOL
from standfast.watchdog.pulse import PulseFile
from standfast.watchdog.status import STATUS, OpenPage, read_status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from projections.base import Row
    from standfast.emergency.records import Outage
    from standfast.paths import StateDirectory

URGENCY = ("down", "no data", "unknown", "healthy", "retired")
STALE = timedelta(seconds=15)
"""So long after the newest heartbeat through prober, log and projections these may be old."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Whether rows say how all is now: `reasons` say why not, and `since` when they last did.

    `down` is what the prober saw go down without the log; `pages` are open without the log.
    Where there is no reason nothing is `down` but what the rows say.
    """

    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    down: tuple[Concluded, ...] = ()
    pages: tuple[OpenPage, ...] = ()

    @property
    def as_of(self) -> str:
        """The moment of which stale rows are, in words; "" where they are not, or nobody knows."""
        return f"{self.since:%Y-%m-%d %H:%M:%S} UTC" if self.reasons and self.since else ""

    def because(self, reason: str, since: datetime | None) -> Freshness:
        """Give it with one more reason."""
        known = [one for one in (self.since if self.reasons else None, since) if one is not None]
        return replace(self, reasons=(*self.reasons, reason), since=min(known, default=None))

    def of(self, services: Iterable[Row]) -> list[Row]:
        """Give the rows of services as they are known to be, the most urgent first."""
        if not self.reasons:
            return list(services)
        down = {one.service: one for one in self.down}
        known = [self._row(row, down.get(row["id"])) for row in services]
        return sorted(known, key=lambda row: URGENCY.index(row["state"]))

    def _row(self, row: Row, concluded: Concluded | None) -> Row:
        if concluded is not None:
            since = moment_text(concluded.since)
            return {**row, "state": "down", "since": since, "reason": concluded.reason}
        if row["state"] == "healthy":
            known = f"it was healthy at {self.as_of}" if self.as_of else "it was healthy"
            since = moment_text(self.since) if self.since else row["since"]
            return {**row, "state": "no data", "since": since, "reason": known}
        return row


@dataclass(slots=True)
class FreshnessReader:
    """Reads what there is in a state directory: small files, the spool only when it changed."""

    directory: StateDirectory
    _outages: OutageReader = field(init=False)

    def __post_init__(self) -> None:
        """Read nothing yet."""
        self._outages = OutageReader(self.directory.emergency / SPOOL)

    def read(self, now: datetime, *, running: bool = True) -> Freshness:
        """Say how fresh the projections are now; they are not where Standfast does not run."""
        pulse = PulseFile(self.directory.pulse).read()
        beat = None if pulse is None else pulse.beat
        outage = self._outages.read()
        if not running:
            return Freshness(("Standfast does not run",), beat)
        found = Freshness(pages=self._pages(now))
        if outage is not None:
            found = _without_log(found, outage)
        elif beat is None or now - beat > STALE:
            last = "was heard" if beat is None else f"since {beat:%H:%M:%S} UTC"
            return found.because(f"no heartbeat through prober, log and projections {last}", beat)
        return found

    def _pages(self, now: datetime) -> tuple[OpenPage, ...]:
        status = read_status(self.directory.watchdog / STATUS)
        return () if status is None or now - status.written > STALE else status.pages


def _without_log(found: Freshness, outage: Outage) -> Freshness:
    began = outage.began
    down = tuple(one for one in outage.newest.values() if one.verdict == "down")
    reason = f"the log takes nothing since {began.since:%H:%M:%S} UTC: {began.reason}"
    return replace(found, down=down).because(reason, began.since)
