"""A recovery is unplanned, awaits a person, runs, or has ended."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from actors.intents import Intents
from events.base import Value
from events.effect import Mode
from events.recovery import Step


class Plan(Value):
    """What is to be done, in order, and which of its services are healthy by now.

    `tries` holds for each step the highest attempt that began. Of the services in `awaited` nobody
    has said yet how they were when they were acted on, or waited for, with proof until then: what
    is reported before that is older.
    """

    incident: str
    cause: str
    steps: tuple[Step, ...]
    mode: Mode
    executor: str
    planned_at: AwareDatetime
    healthy: frozenset[str]
    tries: dict[int, int] = {}
    awaited: dict[str, AwareDatetime] = {}

    def failed_again(self, before: int) -> int | None:
        """Give the first step before one whose service, once proven, is known to be down again.

        The service of that one itself is its own matter, also where an earlier step has it too.
        """
        current = self.steps[before].service if before < len(self.steps) else ""
        for index, step in enumerate(self.steps[:before]):
            if step.service not in self.healthy and step.service != current:
                return index
        return None

    def without_health_of(self, service: str) -> Plan:
        """Forget that a service is healthy."""
        return self.model_copy(update={"healthy": self.healthy - {service}})


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
    """A step's effect happened, or it only waits; its service's checks must prove it in time."""

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
