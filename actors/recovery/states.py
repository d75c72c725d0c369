"""A recovery is unplanned, awaits a person, runs, or has ended."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from actors.intents import Intents
from events.base import Value
from events.effect import Mode
from events.recovery import Step


class Plan(Value):
    """What is to be done, in order, and which of its services are healthy by now."""

    incident: str
    cause: str
    steps: tuple[Step, ...]
    mode: Mode
    executor: str
    planned_at: AwareDatetime
    healthy: frozenset[str]


class Unplanned(Value):
    """Nothing was planned yet."""

    intents: Intents = Intents()


class Awaiting(Value):
    """A person must allow the plan before its time is up."""

    plan: Plan
    until: AwareDatetime | None
    intents: Intents = Intents()


class Acting(Value):
    """A step's effect is under way."""

    plan: Plan
    step: int
    attempt: int
    intents: Intents
    cancelled_by: str = ""


class Verifying(Value):
    """A step's effect happened; its service's checks must prove it in time."""

    plan: Plan
    step: int
    attempt: int
    verify_until: AwareDatetime
    intents: Intents


class Acted(Value):
    """A step's effect came to its end; the next decision of the same moment goes on from there."""

    plan: Plan
    step: int
    attempt: int
    end: Literal["succeeded", "failed", "unknown", "cancelled"]
    detail: str
    cancelled_by: str = ""
    intents: Intents


class Between(Value):
    """One step has its end, and the next decision of the same moment goes on from there."""

    plan: Plan
    step: int
    attempt: int
    intents: Intents


class Ended(Value):
    """The recovery is over."""

    outcome: str
    intents: Intents = Intents()


Running = Acting | Acted | Verifying | Between
Recovery = Unplanned | Awaiting | Running | Ended
