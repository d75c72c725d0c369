"""A simulated process: a wall clock and chance of its own, and a life that can be stopped."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from events.surroundings import SURROUNDINGS

if TYPE_CHECKING:
    from collections.abc import Coroutine

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""What the true clock shows when a simulation begins."""


def true_time(seconds: float) -> datetime:
    """Give the true time so many seconds after the beginning."""
    return BEGINNING + timedelta(seconds=seconds)


class Process:
    """The surroundings of all tasks that were started in it.

    A pause holds whatever it would do next, at any await, until it goes on; a kill holds it for
    ever: not even a `finally` runs. `held` keeps what is held alive, so that nothing of a killed
    process happens when memory is tidied up.
    """

    def __init__(
        self, name: str, chance: Random, clock: Clock | None = None, skew_seconds: float = 0.0
    ) -> None:
        self.name = name
        self.clock = clock or Clock()
        self.skew_seconds = skew_seconds
        self.runs = True
        self.is_killed = False
        self.held: list[asyncio.Handle] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self._chance = chance
        self._loop = asyncio.get_running_loop()
        self.context: Context = copy_context()
        self.context.run(SURROUNDINGS.set, self)

    def now(self) -> datetime:
        """Give the time that the process's machine shows."""
        offset_seconds = self.clock.offset_seconds + self.skew_seconds
        return BEGINNING + timedelta(seconds=self._loop.time() + offset_seconds)

    def monotonic_seconds(self) -> float:
        """Give the seconds that truly passed."""
        return self._loop.time()

    def random_bytes(self, count: int) -> bytes:
        """Give bytes that follow from the seed."""
        return self._chance.randbytes(count)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task in the process."""
        task = self._loop.create_task(work, context=self.context)
        self.tasks.append(task)
        return task

    def pause(self) -> None:
        """Stop as a stopped process does: in the middle of whatever it did."""
        self.runs = False

    def resume(self) -> None:
        """Go on, unaware of the time that has passed."""
        if self.is_killed:
            return
        self.runs = True
        held, self.held = self.held, []
        self._loop.hold_back(held)  # type: ignore[attr-defined]  # a virtual loop

    def kill(self) -> None:
        """End at once."""
        self.runs, self.is_killed = False, True


class Clock:
    """How far the wall clock of all machines is from the true time. It may step."""

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self.offset_seconds = offset_seconds
