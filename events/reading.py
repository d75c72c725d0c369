"""Where reading begins, and how soon a reader knows that nobody sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nats.js.api import DeliverPolicy

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the server says that it is there; after three times so long it is not.

    In that time it is asked `looks` times whether the connection was made anew.
    """

    heartbeat_seconds: float = 5.0
    looks: int = 30

    @property
    def look_seconds(self) -> float:
        """How long to wait between two looks."""
        return 3 * self.heartbeat_seconds / self.looks


PACE = Pace()


@dataclass(frozen=True, slots=True)
class Start:
    """Where reading begins: at a sequence (from 1) or at a moment of the server's clock.

    With `newest_only` what a subject holds already is left out but for the newest. After a
    connection was lost more than that may be given.
    """

    sequence: int = 1
    time: datetime | None = None
    newest_only: bool = False

    @property
    def policy(self) -> DeliverPolicy:
        """How the server calls it."""
        if self.newest_only:
            return DeliverPolicy.LAST_PER_SUBJECT
        by_time = self.time is not None
        return DeliverPolicy.BY_START_TIME if by_time else DeliverPolicy.BY_START_SEQUENCE
