"""Intents: at most one outcome for every wish, and none that stays open past its deadline."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from actors.base import Command, Declined
from events.base import Event, Value
from events.effect import (
    Argument,
    EffectCancelled,
    EffectCancelRequested,
    EffectEvent,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectProgressed,
    EffectSucceeded,
    Intent,
)

SKEW = timedelta(seconds=2)
"""How far the clocks of host and executor may be apart: a successor waits so much longer."""


class ReportEffect(Command):
    """The executor says how an effect ended."""

    number: PositiveInt
    outcome: Literal["succeeded", "failed", "cancelled", "unknown"]
    detail: str = ""
    permanent: bool = False
    undone: bool = False
    took_seconds: NonNegativeFloat = 0.0


class ReportProgress(Command):
    """The executor says that a step is done."""

    number: PositiveInt
    step: str
    fraction: float | None = Field(default=None, ge=0, le=1)


class Intents(Value):
    """The effects that an entity wants and has no outcome of. `last` is the highest number.

    Those in `cancelled` are to stop before their next step.
    """

    last: int = 0
    open: tuple[Intent, ...] = ()
    cancelled: tuple[int, ...] = ()

    def find(self, number: int) -> Intent | None:
        """Give the open intent of a number."""
        return next((intent for intent in self.open if intent.number == number), None)

    def wish(
        self,
        effect: str,
        executor: str,
        deadline: datetime,
        arguments: dict[str, Argument],
        attempt: int = 1,
        offset: int = 1,
    ) -> EffectIntended:
        """Give the fact of a new intent. `offset` counts those of one decision."""
        return EffectIntended(
            intent=Intent(
                number=self.last + offset,
                effect=effect,
                executor=executor,
                attempt=attempt,
                deadline=deadline,
                arguments=arguments,
            )
        )

    def overdue(self, now: datetime) -> tuple[Intent, ...]:
        """Give the intents whose executor must have stopped, and said nothing."""
        return tuple(intent for intent in self.open if now >= intent.deadline + SKEW)

    def due(self) -> datetime | None:
        """Give when the first open intent is overdue."""
        return min((intent.deadline + SKEW for intent in self.open), default=None)

    def after(self, event: EffectEvent) -> Intents:
        """Give the intents after an event."""
        match event:
            case EffectIntended(intent=intent):
                changes = {"last": intent.number, "open": (*self.open, intent)}
            case EffectCancelRequested(number=number):
                changes = {"cancelled": (*self.cancelled, number)}
            case EffectProgressed():
                return self
            case _:
                changes = {
                    "open": tuple(one for one in self.open if one.number != event.number),
                    "cancelled": tuple(one for one in self.cancelled if one != event.number),
                }
        return self.model_copy(update=changes)


def ended(intents: Intents, report: ReportEffect) -> Event | Declined:
    """Give the fact that a report makes of an open intent; late or foreign ones are declined."""
    if intents.find(report.number) is None:
        return Declined(f"intent {report.number} is not open: it has its end already")
    number, detail = report.number, report.detail
    match report.outcome:
        case "succeeded":
            return EffectSucceeded(number=number, detail=detail, took_seconds=report.took_seconds)
        case "failed":
            return EffectFailed(
                number=number,
                reason=detail,
                permanent=report.permanent,
                undone=report.undone,
                took_seconds=report.took_seconds,
            )
        case "cancelled":
            return EffectCancelled(number=number, reason=detail, undone=report.undone)
        case "unknown":
            return EffectOutcomeUnknown(number=number, reason=detail)


def unknown(intent: Intent) -> EffectOutcomeUnknown:
    """Give the fact that an executor let its deadline pass in silence."""
    reason = f"{intent.executor} said nothing until the deadline and {SKEW.seconds} s after it"
    return EffectOutcomeUnknown(number=intent.number, reason=reason)


def progressed(intents: Intents, report: ReportProgress) -> Event | Declined:
    """Give the fact of a step that is done."""
    if intents.find(report.number) is None:
        return Declined(f"intent {report.number} is not open: it has its end already")
    return EffectProgressed(number=report.number, step=report.step, fraction=report.fraction)
