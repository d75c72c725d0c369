"""What people are told, when, and whether they took notice."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field, NonNegativeInt

from events.base import Event, PositiveSeconds, Value

Severity = Literal["critical", "error", "warning", "info"]


class Escalation(Value):
    """Tell again while nobody acknowledges: how long to wait, and how often at most."""

    wait_seconds: PositiveSeconds = 300.0
    repeats_max: NonNegativeInt = 5


class AlertFired(Event, type="standfast.alert.fired.v1"):
    """Something is wrong that a person should know."""

    labels: dict[str, str] = Field(description="with alertname and severity, as in Prometheus")
    annotations: dict[str, str] = Field(default_factory=dict)
    severity: Severity
    receivers: tuple[str, ...]
    escalation: Escalation
    tell_again_at: AwareDatetime | None = Field(description="unless somebody acknowledges")
    incident: str = ""
    executor: str = Field(default="executor", description="who carries the notices")


class AlertAnnotated(Event, type="standfast.alert.annotated.v1"):
    """More is known about an alert that fires; nobody is told again for this."""

    annotations: dict[str, str]


class AlertAcknowledged(Event, type="standfast.alert.acknowledged.v1"):
    """A person has taken it; it is not told again while it fires."""

    by: str
    comment: str = ""


class AlertEscalated(Event, type="standfast.alert.escalated.v1"):
    """Nobody acknowledged in time, so it is told again."""

    level: int = Field(ge=1)
    tell_again_at: AwareDatetime | None


class AlertResolved(Event, type="standfast.alert.resolved.v1"):
    """What was wrong is right again; whoever was told of it is told of this too."""

    reason: str


class AlertHeard(Event, type="standfast.alert.heard.v1"):
    """These receivers heard it while the log could not be written, and are not told it again."""

    receivers: tuple[str, ...]
    status: Literal["firing", "resolved"]


AlertEvent = (
    AlertFired | AlertAnnotated | AlertAcknowledged | AlertEscalated | AlertResolved | AlertHeard
)
