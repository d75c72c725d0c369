"""An incident is open until every service in it is healthy again."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from pydantic import AwareDatetime, TypeAdapter

from actors.base import Command, Decider, Decision, Declined, Tick
from events.base import Event, Evidence, Value
from events.incident import (
    IncidentCauseChanged,
    IncidentEffectJoined,
    IncidentEvent,
    IncidentMemberRecovered,
    IncidentOpened,
    IncidentRecoveryBegan,
    IncidentRecoveryEnded,
    IncidentResolved,
)


class Unopened(Value):
    """Nothing happened yet."""


class Open(Value):
    """Services fail. `failing` are those of the members that are not healthy again."""

    cause: str
    since: AwareDatetime
    members: tuple[str, ...]
    failing: frozenset[str]


class Resolved(Value):
    """All services are healthy again."""

    cause: str
    members: tuple[str, ...]


Incident = Unopened | Open | Resolved


class OpenIncident(Command):
    """A service failed, and no failure of what it needs explains it."""

    cause: str
    reason: str
    since: AwareDatetime
    critical: bool = True
    evidence: Evidence | None = None


class JoinEffect(Command):
    """A service failed because of the incident's cause."""

    service: str
    because: str
    reason: str
    since: AwareDatetime
    evidence: Evidence | None = None


class ChangeCause(Command):
    """Something deeper failed: it is the cause, and what was thought so is its effect.

    A cause that had recovered and fails again is named anew.
    """

    cause: str
    reason: str
    evidence: Evidence | None = None


class ReportMember(Command):
    """A service of the incident is healthy again, or was retired."""

    service: str
    reason: str = "healthy again"


class NoteRecovery(Command):
    """A recovery for the incident began, or came to its end with an outcome."""

    recovery: str
    outcome: str = ""


class ResolveIncident(Command):
    """Close the incident, whatever its services do: it is part of another one."""

    reason: str


def decide(state: Incident, command: Command, now: datetime) -> Decision:
    """Decide what a command means for the incident."""
    match state, command:
        case _, Tick():
            return []
        case Unopened(), OpenIncident() as wish:
            return [
                IncidentOpened(
                    cause=wish.cause,
                    reason=wish.reason,
                    since=wish.since,
                    critical=wish.critical,
                    evidence=wish.evidence,
                )
            ]
        case Open() as incident, _:
            return _decide_open(incident, command, now)
        case Resolved(), NoteRecovery(recovery=recovery, outcome=outcome) if outcome:
            return [IncidentRecoveryEnded(recovery=recovery, outcome=outcome)]
        case Resolved(), _:
            return Declined("the incident is resolved")
        case _:
            return Declined("the incident is not open")


def _decide_open(incident: Open, command: Command, now: datetime) -> Decision:
    match command:
        case JoinEffect() as effect:
            return _join(incident, effect)
        case ChangeCause() as change:
            return _change_cause(incident, change)
        case ReportMember(service=service, reason=reason):
            return _recovered(incident, service, reason, now)
        case NoteRecovery(recovery=recovery, outcome=""):
            return [IncidentRecoveryBegan(recovery=recovery)]
        case NoteRecovery(recovery=recovery, outcome=outcome):
            return [IncidentRecoveryEnded(recovery=recovery, outcome=outcome)]
        case ResolveIncident(reason=reason):
            return [_resolved(incident, reason, now)]
        case OpenIncident():
            return []
        case _:
            return Declined(f"an open incident does not know {type(command).__name__}")


def _join(incident: Open, effect: JoinEffect) -> Decision:
    if effect.service in incident.failing:
        return []
    return [
        IncidentEffectJoined(
            service=effect.service,
            because=effect.because,
            reason=effect.reason,
            since=effect.since,
            evidence=effect.evidence,
        )
    ]


def _change_cause(incident: Open, change: ChangeCause) -> Decision:
    if change.cause == incident.cause and change.cause in incident.failing:
        return []
    return [
        IncidentCauseChanged(
            cause=change.cause,
            was=incident.cause,
            reason=change.reason,
            evidence=change.evidence,
        )
    ]


def _recovered(incident: Open, service: str, reason: str, now: datetime) -> Decision:
    if service not in incident.failing:
        return []
    events: list[Event] = [IncidentMemberRecovered(service=service)]
    if incident.failing == {service}:
        events.append(_resolved(incident, f"{service} is {reason}, the last to be so", now))
    return events


def _resolved(incident: Open, reason: str, now: datetime) -> IncidentResolved:
    lasted_seconds = max(0.0, (now - incident.since).total_seconds())
    return IncidentResolved(reason=reason, lasted_seconds=lasted_seconds)


def evolve(state: Incident, event: IncidentEvent) -> Incident:
    """Give the state after an event."""
    match event:
        case IncidentOpened(cause=cause, since=since):
            return Open(cause=cause, since=since, members=(cause,), failing=frozenset({cause}))
        case IncidentEffectJoined(service=service):
            return _with_failing(state, service)
        case IncidentCauseChanged(cause=cause):
            changed = _with_failing(state, cause)
            return changed.model_copy(update={"cause": cause})
        case IncidentMemberRecovered(service=service):
            return _without_failing(state, service)
        case IncidentResolved():
            assert isinstance(state, Open), "only an open incident is resolved"
            return Resolved(cause=state.cause, members=state.members)
        case IncidentRecoveryBegan() | IncidentRecoveryEnded():
            return state
    assert_never(event)


def _with_failing(state: Incident, service: str) -> Incident:
    if not isinstance(state, Open):
        return state
    members = state.members if service in state.members else (*state.members, service)
    failing = state.failing | {service}
    return Open(cause=state.cause, since=state.since, members=members, failing=failing)


def _without_failing(state: Incident, service: str) -> Incident:
    if not isinstance(state, Open):
        return state
    return state.model_copy(update={"failing": state.failing - {service}})


INCIDENT: Decider[Incident] = Decider(
    kind="incident",
    initial=Unopened(),
    states=TypeAdapter(Incident),
    state_version=1,
    commands=(
        OpenIncident,
        JoinEffect,
        ChangeCause,
        ReportMember,
        NoteRecovery,
        ResolveIncident,
    ),
    events=(
        IncidentOpened,
        IncidentEffectJoined,
        IncidentCauseChanged,
        IncidentMemberRecovered,
        IncidentRecoveryBegan,
        IncidentRecoveryEnded,
        IncidentResolved,
    ),
    decide=decide,
    evolve=evolve,  # type: ignore[arg-type]  # the host passes only events of this kind
)
