"""Time and chance as the running process has them: the machine's, or those of a simulated one.

Tasks inherit them from whoever starts them, so that several simulated processes, each with a wall
clock of its own, can live in one event loop.
"""

from __future__ import annotations

import os
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Protocol


class Surroundings(Protocol):
    """What a process finds around itself and can't make: clocks and chance."""

    def now(self) -> datetime:
        """Give the wall clock's time, in UTC. It may step."""
        ...

    def monotonic_seconds(self) -> float:
        """Give seconds since some moment. It never steps, and goes on while we are stopped."""
        ...

    def random_bytes(self, count: int) -> bytes:
        """Give bytes that nobody can foresee."""
        ...


class Machine:
    """The clocks and the chance of this machine."""

    def now(self) -> datetime:
        """Give the wall clock's time, in UTC."""
        return datetime.now(UTC)

    def monotonic_seconds(self) -> float:
        """Give seconds of the monotonic clock."""
        return time.monotonic()

    def random_bytes(self, count: int) -> bytes:
        """Give bytes of the operating system's chance."""
        return os.urandom(count)


SURROUNDINGS: ContextVar[Surroundings] = ContextVar("surroundings", default=Machine())  # noqa: B039  (it holds nothing that changes)


def now() -> datetime:
    """Give the wall clock's time around this process, in UTC."""
    return SURROUNDINGS.get().now()


def monotonic_seconds() -> float:
    """Give seconds since some moment, without steps."""
    return SURROUNDINGS.get().monotonic_seconds()


def random_bytes(count: int) -> bytes:
    """Give bytes of chance."""
    return SURROUNDINGS.get().random_bytes(count)
