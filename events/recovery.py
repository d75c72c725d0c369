"""How a failure was mended: the plan, each step, and the proof."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field, PositiveInt

from events.base import Event, PositiveSeconds, Value
from events.effect import Mode


class Step(Value):
    """One step of a plan: an effect on a service, then its proof by the service's checks."""

    service: str
    effect: Literal["process.restart", "process.start", "command.run", "none"] = Field(
        description="`none` waits for health and does nothing"
    )
    arguments: dict[str, str] = Field(default_factory=dict)
    timeout_seconds: PositiveSeconds
    verify_seconds: PositiveSeconds
    attempts_max: PositiveInt = 1
    wait_first: bool = Field(
        default=False, description="it may heal by itself: the first attempt only waits"
    )


class RecoveryPlanned(Event, type="standfast.recovery.planned.v1"):
    """What is to be done, in order. In shadow it is only said; with approval it waits."""

    incident: str
    cause: str
    steps: tuple[Step, ...] = Field(min_length=1)
    mode: Mode
    executor: str
    healthy: tuple[str, ...] = Field(default=(), description="services that are so now")
    planned_at: AwareDatetime
    approval_until: AwareDatetime | None = None


class RecoveryApproved(Event, type="standfast.recovery.approved.v1"):
    """A person allowed the plan."""

    by: str


class RecoveryRejected(Event, type="standfast.recovery.rejected.v1"):
    """A person refused the plan, or nobody answered in time."""

    by: str
    reason: str


class RecoveryStepBegan(Event, type="standfast.recovery.step_began.v1"):
    """A step begins; its intent follows in the same commit where it has an effect."""

    step: int = Field(ge=0)
    service: str
    attempt: PositiveInt


class RecoveryStepActed(Event, type="standfast.recovery.step_acted.v1"):
    """The step's effect happened, or was not needed; now the service's checks must prove it."""

    step: int = Field(ge=0)
    verify_until: AwareDatetime
    detail: str = ""


class RecoveryStepVerified(Event, type="standfast.recovery.step_verified.v1"):
    """The service of the step is healthy, as was seen after the step acted."""

    step: int = Field(ge=0)
    service: str


class RecoveryStepFailed(Event, type="standfast.recovery.step_failed.v1"):
    """The step did not make its service healthy in time, or its service is down again."""

    step: int = Field(ge=0)
    reason: str


class RecoveryServiceReported(Event, type="standfast.recovery.service_reported.v1"):
    """A service of the plan changed its health while the recovery runs."""

    service: str
    healthy: bool


class RecoverySucceeded(Event, type="standfast.recovery.succeeded.v1"):
    """Every service of the plan is healthy, proven by its checks."""

    took_seconds: float = Field(ge=0)


class RecoveryFailed(Event, type="standfast.recovery.failed.v1"):
    """The plan did not help; a person is asked."""

    reason: str
    outcome_unknown: bool = False


class RecoveryCancelled(Event, type="standfast.recovery.cancelled.v1"):
    """The recovery was stopped before its end."""

    by: str
    reason: str


RecoveryEvent = (
    RecoveryPlanned
    | RecoveryApproved
    | RecoveryRejected
    | RecoveryStepBegan
    | RecoveryStepActed
    | RecoveryStepVerified
    | RecoveryStepFailed
    | RecoveryServiceReported
    | RecoverySucceeded
    | RecoveryFailed
    | RecoveryCancelled
)
