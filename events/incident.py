"""The chain of events around one failure, from its first symptom to its proven end."""

from __future__ import annotations

from pydantic import AwareDatetime, Field, NonNegativeFloat

from events.base import Event, Evidence


class IncidentOpened(Event, type="standfast.incident.opened.v1"):
    """A failure began. `cause` is the service that is thought to have failed first."""

    cause: str
    reason: str
    since: AwareDatetime
    critical: bool = True
    evidence: Evidence | None = Field(default=None, description="copied before it expires")


class IncidentEffectJoined(Event, type="standfast.incident.effect_joined.v1"):
    """Another service failed because of the incident's cause."""

    service: str
    because: str = Field(description="what it needs and what failed")
    reason: str
    since: AwareDatetime
    evidence: Evidence | None = None


class IncidentCauseChanged(Event, type="standfast.incident.cause_changed.v1"):
    """What was thought to be the cause is the effect of something deeper."""

    cause: str
    was: str
    reason: str
    evidence: Evidence | None = None


class IncidentMemberRecovered(Event, type="standfast.incident.member_recovered.v1"):
    """A service of the incident is healthy again."""

    service: str


class IncidentRecoveryBegan(Event, type="standfast.incident.recovery_began.v1"):
    """Somebody or something began to mend it."""

    recovery: str


class IncidentRecoveryEnded(Event, type="standfast.incident.recovery_ended.v1"):
    """The recovery came to an end, good or bad."""

    recovery: str
    outcome: str


class IncidentResolved(Event, type="standfast.incident.resolved.v1"):
    """Every service of the incident is healthy again, or was retired."""

    reason: str
    lasted_seconds: NonNegativeFloat


IncidentEvent = (
    IncidentOpened
    | IncidentEffectJoined
    | IncidentCauseChanged
    | IncidentMemberRecovered
    | IncidentRecoveryBegan
    | IncidentRecoveryEnded
    | IncidentResolved
)
