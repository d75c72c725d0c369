"""After an outage the log's own alerts speak: pages are left to them, or ended where none does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sqlalchemy.exc import SQLAlchemyError

from effects.own_thread import BusyError, OwnThread
from projections.base import moment_text
from projections.reading import NotReadyError, Reading, alert_of, services_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from standfast.watchdog.pages import Page

READ_SECONDS_MAX = 5.0
_FIRES = frozenset({"firing", "acknowledged"})
_WELL = frozenset({"healthy", "retired"})

Fate = Literal["left", "well", "open"]
"""The log speaks for it; all is well and the log says nothing; or neither, so far."""


@dataclass(frozen=True, slots=True)
class HandingOver:
    """Asks the projections, which the log has reached again."""

    url: str
    _thread: OwnThread = field(default_factory=lambda: OwnThread("projections", waiting_max=1))

    async def fate_of(self, page: Page) -> Fate:
        """Say what is to become of a page about services."""
        try:
            return await self._thread.do(lambda: self._look(page), READ_SECONDS_MAX)
        except (TimeoutError, BusyError, NotReadyError, SQLAlchemyError, OSError):
            return "open"

    def _look(self, page: Page) -> Fate:
        reading = Reading(self.url)
        try:
            with reading.moment() as connection:
                return _fate(connection, page)
        finally:
            reading.close()


def _fate(connection: Connection, page: Page) -> Fate:
    alert = alert_of(connection, page.alert)
    if alert is not None:
        fired_since = alert["fired"] >= moment_text(page.opened)
        if fired_since or alert["state"] in _FIRES:
            return "left"
    rows = services_of(connection, page.services)
    return "well" if all(row["state"] in _WELL for row in rows) else "open"
