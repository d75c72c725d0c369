"""The contract of effects: prepare, run, verify, undo; ends are values, each step is guarded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from events.base import generation_of, named_in

if TYPE_CHECKING:
    from datetime import datetime

    from effects.ports import Clock
    from events.address import EntityAddress
    from events.effect import Intent

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an effect is given: whose intent it is, and the commit's sequence as its fence."""

    entity: EntityAddress
    intent: Intent
    fence: int

    @property
    def key(self) -> str:
        """What is the same however often this intent is handed over."""
        return named_in(generation_of(self.fence), f"{self.entity}#{self.intent.number}")

    def environment(self) -> dict[str, str]:
        """Give what a program is told of the wish that it follows from."""
        return {
            "STANDFAST_SERVICE": self.text("service"),
            "STANDFAST_IDEMPOTENCY_KEY": self.key,
            "STANDFAST_FENCE": str(self.fence),
        }

    def text(self, name: str) -> str:
        """Give an argument as text; nothing where it is missing."""
        value = self.intent.arguments.get(name)
        return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Succeeded:
    """It happened."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not happen, or was undone. `permanent`: trying again cannot help."""

    reason: str
    permanent: bool = False
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Cancelled:
    """It was stopped before it was complete."""

    reason: str
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows whether it happened."""

    reason: str


Result = Succeeded | Failed | Cancelled | Unknown


class StopError(Exception):
    """The effect must not take its next step."""


class OverdueError(StopError):
    """The deadline has passed; a successor may already be at work."""


class CancelledByRequestError(StopError):
    """Somebody wants it to stop."""


class Guard:
    """Asked before each step: may the effect still act?

    The deadline is held against the wall clock and against the monotonic one, whichever is
    earlier: neither a clock that is set back nor a pause of the process makes more time.
    """

    def __init__(self, clock: Clock, deadline: datetime) -> None:
        """Start to watch a deadline."""
        self._clock = clock
        self._deadline = deadline
        self._left_seconds_at_start = (deadline - clock.now()).total_seconds()
        self._start = clock.monotonic_seconds()
        self._cancelled = asyncio.Event()
        self.last_step = ""

    @property
    def left_seconds(self) -> float:
        """How long the effect may still act; zero or less when it may not."""
        by_wall = (self._deadline - self._clock.now()).total_seconds()
        passed = self._clock.monotonic_seconds() - self._start
        return min(by_wall, self._left_seconds_at_start - passed)

    @property
    def is_cancelled(self) -> bool:
        """Say whether somebody wants the effect to stop."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Let no further step begin."""
        self._cancelled.set()

    async def wait_cancelled(self) -> None:
        """Wait until somebody wants the effect to stop."""
        await self._cancelled.wait()

    def check(self) -> None:
        """Raise `OverdueError` or `CancelledByRequestError` where the effect must stop."""
        if self.left_seconds <= 0:
            raise OverdueError
        if self.is_cancelled:
            raise CancelledByRequestError

    def step(self, name: str) -> None:
        """Begin a step, unless the effect must stop. Raises as `check`."""
        self.check()
        self.last_step = name


class Progress(Protocol):
    """Told after a step; what comes too fast is left out."""

    def __call__(self, step: str, fraction: float | None = None) -> None:
        """Say which step is done, and how much of the whole (0 to 1)."""
        ...


class Effect(Protocol[P]):
    """One way to touch the world."""

    @property
    def repeatable(self) -> bool:
        """Whether doing it twice is as doing it once."""
        ...

    @property
    def checkable(self) -> bool:
        """Whether `verify` can tell."""
        ...

    async def prepare(self, assignment: Assignment) -> P | Failed:
        """Check arguments and settings and gather what is needed. The world is not touched."""
        ...

    async def run(self, prepared: P, guard: Guard, progress: Progress) -> Result:
        """Do it. Raises `StopError` (from the guard) where it stopped between two steps."""
        ...

    async def verify(self, assignment: Assignment, began: datetime) -> Result:
        """After a crash, say whether what began then did happen; nothing is done."""
        ...

    async def undo(self, prepared: P) -> bool:
        """Undo what a cancelled run has done; false where that is not possible."""
        ...
