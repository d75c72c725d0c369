"""The clocks: one says what time it is, one only how much has passed."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> datetime:
        """Give the wall clock's time, in UTC. It may step."""
        return datetime.now(UTC)

    def monotonic_seconds(self) -> float:
        """Give seconds since some moment. It never steps, and goes on while we are stopped."""
        return time.monotonic()
