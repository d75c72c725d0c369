"""Effects: the committed wish to touch the world, and each way such a wish can end."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field, PositiveInt

from events.base import Event, Value

Argument = str | int | float | bool | None


class Intent(Value):
    """A wish for one effect. Entity and number name it; the commit's sequence is its fence."""

    number: PositiveInt = Field(description="rises by one for each intent of the entity")
    effect: str = Field(description="the adapter's name, as in process.restart")
    executor: str = Field(description="who carries it out until the deadline")
    attempt: PositiveInt = 1
    deadline: AwareDatetime
    arguments: dict[str, Argument] = Field(default_factory=dict)


class EffectIntended(Event, type="standfast.effect.intended.v1"):
    """The entity wants this effect; from now on it may happen."""

    intent: Intent


class EffectProgressed(Event, type="standfast.effect.progressed.v1"):
    """The executor finished a step of the effect."""

    number: PositiveInt
    step: str
    fraction: float | None = Field(default=None, ge=0, le=1)


class EffectCancelRequested(Event, type="standfast.effect.cancel_requested.v1"):
    """Somebody wants the effect to stop before its next step."""

    number: PositiveInt
    reason: str


class EffectSucceeded(Event, type="standfast.effect.succeeded.v1"):
    """The effect happened, once."""

    number: PositiveInt
    detail: str = ""
    took_seconds: float = Field(default=0.0, ge=0)


class EffectFailed(Event, type="standfast.effect.failed.v1"):
    """The effect did not happen, or was undone."""

    number: PositiveInt
    reason: str
    permanent: bool = Field(default=False, description="trying again cannot help")
    retry_at: AwareDatetime | None = Field(default=None, description="None: not tried again")
    undone: bool = False
    took_seconds: float = Field(default=0.0, ge=0)


class EffectCancelled(Event, type="standfast.effect.cancelled.v1"):
    """The effect was stopped before it was complete."""

    number: PositiveInt
    reason: str
    undone: bool = False


class EffectOutcomeUnknown(Event, type="standfast.effect.outcome_unknown.v1"):
    """Nobody knows whether the effect happened: its executor died or overran its deadline."""

    number: PositiveInt
    reason: str


EffectEvent = (
    EffectIntended
    | EffectProgressed
    | EffectCancelRequested
    | EffectSucceeded
    | EffectFailed
    | EffectCancelled
    | EffectOutcomeUnknown
)
Mode = Literal["shadow", "approval", "automatic"]
