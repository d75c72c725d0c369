"""The clocks: one says what time it is, one only how much has passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events import surroundings

if TYPE_CHECKING:
    from datetime import datetime


class SystemClock:
    """The clocks of this process (see `events.surroundings`)."""

    def now(self) -> datetime:
        """Give the wall clock's time, in UTC. It may step."""
        return surroundings.now()

    def monotonic_seconds(self) -> float:
        """Give seconds since some moment. It never steps, and goes on while we are stopped."""
        return surroundings.monotonic_seconds()
