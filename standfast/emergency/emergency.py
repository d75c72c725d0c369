"""An emergency: what is concluded goes into the spool, where the watchdog reads it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from actors.service import Down, Watched
from events.base import Excerpt
from events.ids import new_id
from standfast.emergency.judge import Judge
from standfast.emergency.outage_spool import OutageSpool
from standfast.emergency.records import Began, Concluded, Outage
from standfast.emergency.spool import SPOOL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from actors.runtime.service_book import Page
    from evaluation.thresholds import Conclusion
    from standfast.emergency.diagnosis import Diagnosis
    from standfast.emergency.records import LostAgain, Returned

EMERGENCY_SECONDS = 10.0
"""So long the log may take nothing before people are told without it."""
UNTOLD = timedelta(seconds=45)
"""Of what went down so shortly before, nobody knows whether people were told."""
EXCERPTS_MAX = 5
_LOGGER = logging.getLogger(__name__)


class Emergency:
    """The outage that is under way, if any, in memory and in a spool that outlives us."""

    def __init__(self, directory: Path) -> None:
        """Go on where a killed predecessor ended."""
        self._spool = OutageSpool(directory / SPOOL)
        self.outage: Outage | None = self._spool.outage
        self.judge = Judge()

    def begin(self, since: datetime, diagnosis: Diagnosis, pages: Mapping[str, Page]) -> None:
        """From now on what is concluded is told without the log."""
        down = {name: state for name, page in pages.items() if (state := _down(page)) is not None}
        began = Began(
            outage=new_id(),
            since=since,
            reason=diagnosis.reason,
            hangs=diagnosis.hangs,
            services=len(self.judge.watching.services),
            down=tuple(sorted(down)),
        )
        _LOGGER.error("emergency: %s", diagnosis.reason)
        self.outage = Outage(began=began)
        self._spool.keep(began)
        late = [name for name, state in sorted(down.items()) if state.since > since - UNTOLD]
        self._conclude([_repeated(name, down[name]) for name in late])

    def conclude(self, pages: Mapping[str, Page]) -> None:
        """Write down what has changed since."""
        assert self.outage is not None, "there is an emergency"
        news = self.judge.news(self.outage, pages)
        self._conclude([_concluded(service, one) for service, one in news])

    def turn(self, record: Returned | LostAgain) -> None:
        """Say that the log is told now, or that it is lost again."""
        assert self.outage is not None, "there is an emergency"
        self.outage = self.outage.after(record)
        self._spool.keep(record)

    def end(self) -> None:
        """The log knows it all."""
        assert self.outage is not None, "there is an emergency"
        _LOGGER.warning("the emergency is over; %d conclusions", len(self.outage.conclusions))
        self.outage = None
        self._spool.forget()

    def settle(self, seconds_max: float) -> None:
        """Wait until all is on disk. Raises `TimeoutError`."""
        self._spool.settle(seconds_max)

    def close(self) -> None:
        """Let the spool go; a successor goes on with it."""
        self._spool.close()

    def _conclude(self, conclusions: list[Concluded]) -> None:
        assert self.outage is not None, "there is an emergency"
        if conclusions:
            self.outage = self.outage.after(*conclusions)
            self._spool.keep(*conclusions)


def _down(page: Page) -> Down | None:
    state = page.state
    return state.health if isinstance(state, Watched) and isinstance(state.health, Down) else None


def _repeated(service: str, health: Down) -> Concluded:
    return Concluded(
        service=service,
        verdict="down",
        since=health.since,
        observed=health.since,
        reason=health.reason,
    )


def _concluded(service: str, conclusion: Conclusion) -> Concluded:
    excerpt = tuple(
        Excerpt(
            time=reading.time,
            check=check,
            succeeded=reading.succeeded,
            duration_seconds=reading.duration_seconds,
            reason=reading.reason,
        )
        for check, reading in conclusion.recent[-EXCERPTS_MAX:]
    )
    return Concluded(
        service=service,
        verdict="down" if conclusion.verdict == "down" else "healthy",
        since=conclusion.since,
        observed=conclusion.observed,
        check=conclusion.check,
        reason=conclusion.reason,
        excerpt=excerpt,
    )
