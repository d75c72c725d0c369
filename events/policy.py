"""What a policy read, concluded and asked for: with it, every cause is handled exactly once."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from events.base import Event, Evidence, Value
from events.platform import PlatformSettings
from events.topology import Node


class Order(Value):
    """A command that a policy gives to another entity, with the event that caused it."""

    number: int = Field(ge=1, description="rises for each order of the policy, without gaps")
    target: str
    command: str
    arguments: dict[str, Any]
    causation_id: str | None
    correlation_id: str
    time: AwareDatetime = Field(description="when the cause was observed")


class PolicyAdvanced(Event, type="standfast.policy.advanced.v1"):
    """The policy read all its sources up to here, and gives these orders."""

    log_id: str
    generation: int
    sequence: int = Field(ge=0, description="the last sequence of its sources it has handled")
    index: int = Field(default=0, ge=0, description="of the last event handled in that commit")
    orders: tuple[Order, ...] = ()
    delivered: int = Field(default=0, ge=0, description="the highest number that was answered")
    left: tuple[int, ...] = Field(default=(), description="lower ones that were not, as yet")
    silent_until: int = Field(
        default=0, ge=0, description="a new policy learns from what was before, and orders nothing"
    )


class CauseQuarantined(Event, type="standfast.policy.cause_quarantined.v1"):
    """The policy raised an error over one event; it left that event out and went on."""

    cause_id: str
    cause_type: str
    error: str


class SymptomSeen(Event, type="standfast.correlation.symptom_seen.v1"):
    """The correlator saw a service fail, and waits until what it needs has been probed."""

    service: str
    cause_id: str
    correlation_id: str
    reason: str
    since: AwareDatetime
    observed: AwareDatetime = Field(description="when the failure was concluded")
    critical: bool = True
    settles_at: AwareDatetime
    sequence: int = Field(ge=1, description="of the commit that says so")
    evidence: Evidence | None = None


class SymptomPlaced(Event, type="standfast.correlation.symptom_placed.v1"):
    """The correlator put a failed service into an incident."""

    service: str
    incident: str


class SymptomCleared(Event, type="standfast.correlation.symptom_cleared.v1"):
    """A failed service is healthy again, or was retired."""

    service: str


class CaseClosed(Event, type="standfast.correlation.case_closed.v1"):
    """No service of the incident fails any more."""

    incident: str


class CaseOpened(Event, type="standfast.correlation.case_opened.v1"):
    """The correlator opened an incident for a cause."""

    incident: str
    cause: str
    correlation_id: str


class CaseCauseChanged(Event, type="standfast.correlation.case_cause_changed.v1"):
    """The correlator found a deeper cause for an incident."""

    incident: str
    cause: str


class IncidentTold(Event, type="standfast.telling.incident_told.v1"):
    """The policy that tells people chose the alert that speaks for an incident."""

    incident: str
    alert: str
    cause: str
    effects: tuple[str, ...] = ()


class IncidentUntold(Event, type="standfast.telling.incident_untold.v1"):
    """The incident is over, and so is its alert."""

    incident: str


class NoticeHeard(Event, type="standfast.telling.notice_heard.v1"):
    """The policy that tells people noted what a receiver heard while the log was away."""

    alert: str
    receiver: str
    status: Literal["firing", "resolved"]
    told_at: AwareDatetime


class EndHeard(Event, type="standfast.telling.end_heard.v1"):
    """Of this incident some receivers have heard the end already, while the log was away."""

    incident: str
    receivers: tuple[str, ...]


class HelpAsked(Event, type="standfast.telling.help_asked.v1"):
    """A recovery failed and the policy asked a person for help."""

    incident: str
    alert: str


class SightLost(Event, type="standfast.telling.sight_lost.v1"):
    """A policy, of telling or of mending, noted that nobody knows how a service is."""

    service: str


class SightRegained(Event, type="standfast.telling.sight_regained.v1"):
    """A policy, of telling or of mending, noted that a service is seen again."""

    service: str


class HealthNoted(Event, type="standfast.mending.health_noted.v1"):
    """The policy that mends noted that a service is down, or no longer is."""

    service: str
    down: bool


class MendingBegan(Event, type="standfast.mending.began.v1"):
    """The policy that mends asked for a recovery."""

    incident: str
    recovery: str
    services: tuple[str, ...]


class MendingEnded(Event, type="standfast.mending.ended.v1"):
    """A recovery came to its end, and needs no more news."""

    recovery: str


class CauseNoted(Event, type="standfast.mending.cause_noted.v1"):
    """The policy that mends noted what it is to mend for an incident."""

    incident: str
    cause: str = Field(default="", description="none where nothing more is to be mended for it")


class TopologyLearned(Event, type="standfast.policy.topology_learned.v1"):
    """A policy learned the dependency graph."""

    services: dict[str, Node]


class SettingsLearned(Event, type="standfast.policy.settings_learned.v1"):
    """A policy learned the platform's settings."""

    settings: PlatformSettings
