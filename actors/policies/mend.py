"""What to do about an incident: mend its cause, then see its effects healthy, in that order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from actors.incident import NoteRecovery
from actors.policies.base import Conclusion, Policy, PolicyState, Wish
from actors.recovery import CancelRecovery, ReportServiceHealth, StartRecovery
from actors.topology import dependents_of
from events.address import EntityAddress
from events.base import Envelope, Value
from events.incident import IncidentCauseChanged, IncidentOpened, IncidentResolved
from events.platform import PlatformConfigured, PlatformSettings
from events.policy import (
    HealthNoted,
    MendingBegan,
    MendingEnded,
    SettingsLearned,
    TopologyLearned,
)
from events.recovery import (
    RecoveryCancelled,
    RecoveryFailed,
    RecoveryPlanned,
    RecoveryRejected,
    RecoverySucceeded,
    Step,
)
from events.service import (
    RecoveryAction,
    ServiceBecameHealthy,
    ServiceLostSight,
    ServiceRetired,
    ServiceWentDown,
)
from events.topology import Node, TopologyDeclared

DEPENDENTS_MAX = 100
WAIT_SECONDS = 60.0

Note = HealthNoted | MendingBegan | MendingEnded | SettingsLearned | TopologyLearned
Over = RecoverySucceeded | RecoveryFailed | RecoveryCancelled | RecoveryRejected


class Run(Value):
    """A recovery that was asked for and has no end yet."""

    recovery: str
    incident: str
    services: frozenset[str]


class Knowledge(Value):
    """What fails, what runs, and how each service may be mended."""

    settings: PlatformSettings = PlatformSettings()
    services: dict[str, Node] = {}
    failing: frozenset[str] = frozenset()
    runs: dict[str, Run] = {}


def observe(knows: Knowledge, envelope: Envelope, now: datetime) -> Conclusion:  # noqa: C901  (one match over all that can be asked)
    """Conclude from a fact whether something is to be mended, or has been."""
    del now
    event, entity = envelope.event, envelope.entity
    match event:
        case PlatformConfigured(settings=settings):
            return Conclusion(notes=[SettingsLearned(settings=settings)])
        case TopologyDeclared(services=services):
            return Conclusion(notes=[TopologyLearned(services=services)])
        case ServiceWentDown() | ServiceLostSight():
            return _health(knows, entity.id, envelope, failing=True)
        case ServiceBecameHealthy() | ServiceRetired():
            return _health(knows, entity.id, envelope, failing=False)
        case IncidentOpened(cause=cause):
            return _begin(knows, cause, envelope)
        case IncidentCauseChanged(cause=cause, was=was):
            return _begin_anew(knows, cause, was, envelope)
        case IncidentResolved():
            return _cancel_waiting(knows, envelope)
        case RecoveryPlanned(incident=incident, mode=mode):
            return _planned(incident, mode, envelope)
        case RecoverySucceeded() | RecoveryFailed() | RecoveryCancelled() | RecoveryRejected():
            return _over(knows, event, envelope)
        case _:
            return Conclusion()


def _health(knows: Knowledge, service: str, envelope: Envelope, *, failing: bool) -> Conclusion:
    if (service in knows.failing) == failing:
        return Conclusion()
    report = ReportServiceHealth(service=service, healthy=not failing)
    concerned = [run.recovery for run in knows.runs.values() if service in run.services]
    return Conclusion(
        notes=[HealthNoted(service=service, down=failing)],
        wishes=[_to_recovery(recovery, report, envelope) for recovery in concerned],
    )


def incident_of(recovery: str, incidents: Iterable[str]) -> str:
    """Give the incident a recovery is for: its id begins with the incident's, and a colon."""
    names = [name for name in incidents if recovery.startswith(f"{name}:")]
    return max(names, key=len, default="")


def _begin(knows: Knowledge, cause: str, envelope: Envelope, recovery: str = "") -> Conclusion:
    node = knows.services.get(cause)
    if node is None or node.recovery is None:
        return Conclusion()
    incident = envelope.entity.id
    steps = plan(knows.services, cause, node.recovery)
    services = tuple(step.service for step in steps)
    recovery = recovery or f"{incident}:{cause}"
    began = MendingBegan(incident=incident, recovery=recovery, services=services)
    command = StartRecovery(
        incident=incident,
        cause=cause,
        steps=steps,
        mode=knows.settings.recovery_mode,
        executor=knows.settings.executor,
        healthy=tuple(name for name in services if name not in knows.failing),
        approval_seconds=knows.settings.approval_seconds,
    )
    return Conclusion(notes=[began], wishes=[_to_recovery(began.recovery, command, envelope)])


def plan(services: dict[str, Node], cause: str, action: RecoveryAction) -> tuple[Step, ...]:
    """Give the steps: the cause is mended, then what needs it is waited for, in order."""
    steps = [_step(cause, action, wait_first=False)]
    steps.extend(
        _step(name, services[name].recovery, wait_first=True)
        for name in dependents_of(services, cause)[:DEPENDENTS_MAX]
    )
    return tuple(steps)


def _step(service: str, action: RecoveryAction | None, *, wait_first: bool) -> Step:
    if action is None:
        return Step(
            service=service,
            effect="none",
            timeout_seconds=WAIT_SECONDS,
            verify_seconds=WAIT_SECONDS,
        )
    return Step(
        service=service,
        effect=action.effect,
        timeout_seconds=action.timeout_seconds,
        verify_seconds=action.verify_seconds,
        attempts_max=action.attempts_max + (1 if wait_first else 0),
        wait_first=wait_first,
    )


def _begin_anew(knows: Knowledge, cause: str, was: str, envelope: Envelope) -> Conclusion:
    """Mend another cause, or the same one that failed again; what runs for the old one stops."""
    incident = envelope.entity.id
    running = [run for run in knows.runs.values() if run.incident == incident]
    if cause == was and running:
        return Conclusion()
    recovery = f"{incident}:{cause}:{envelope.position.sequence}"
    conclusion = _begin(knows, cause, envelope, recovery)
    command = CancelRecovery(by="policy:mend", reason=f"the cause is {cause}")
    cancels = [_to_recovery(run.recovery, command, envelope) for run in running]
    return Conclusion(notes=conclusion.notes, wishes=[*cancels, *conclusion.wishes])


def _cancel_waiting(knows: Knowledge, envelope: Envelope) -> Conclusion:
    """Withdraw what still waits for a person; what runs proves itself or fails."""
    if knows.settings.recovery_mode != "approval":
        return Conclusion()
    command = CancelRecovery(by="policy:mend", reason="healthy again without it")
    waiting = [run for run in knows.runs.values() if run.incident == envelope.entity.id]
    return Conclusion(wishes=[_to_recovery(run.recovery, command, envelope) for run in waiting])


def _planned(incident: str, mode: str, envelope: Envelope) -> Conclusion:
    recovery = envelope.entity.id
    shadow = mode == "shadow"
    command = NoteRecovery(recovery=recovery, outcome="shadow" if shadow else "")
    notes = [MendingEnded(recovery=recovery)] if shadow else []
    return Conclusion(notes=[*notes], wishes=[_to_incident(incident, command, envelope)])


def _over(knows: Knowledge, event: Over, envelope: Envelope) -> Conclusion:
    recovery = envelope.entity.id
    run = knows.runs.get(recovery)
    if run is None:
        return Conclusion()
    outcome = type(event).__name__.removeprefix("Recovery").lower()
    command = NoteRecovery(recovery=recovery, outcome=outcome)
    return Conclusion(
        notes=[MendingEnded(recovery=recovery)],
        wishes=[_to_incident(run.incident, command, envelope)],
    )


def _to_recovery(
    recovery: str,
    command: StartRecovery | CancelRecovery | ReportServiceHealth,
    envelope: Envelope,
) -> Wish:
    origin = envelope.origin
    target = EntityAddress("recovery", recovery)
    return Wish(target, command, envelope.id, origin.correlation_id, origin.time)


def _to_incident(incident: str, command: NoteRecovery, envelope: Envelope) -> Wish:
    origin = envelope.origin
    target = EntityAddress("incident", incident)
    return Wish(target, command, envelope.id, origin.correlation_id, origin.time)


def evolve(knows: Knowledge, note: Note) -> Knowledge:
    """Give what is known after a note."""
    match note:
        case SettingsLearned(settings=settings):
            return knows.model_copy(update={"settings": settings})
        case TopologyLearned(services=services):
            return knows.model_copy(update={"services": services})
        case HealthNoted(service=service, down=True):
            return knows.model_copy(update={"failing": knows.failing | {service}})
        case HealthNoted(service=service):
            return knows.model_copy(update={"failing": knows.failing - {service}})
        case MendingBegan(recovery=recovery, incident=incident, services=services):
            run = Run(recovery=recovery, incident=incident, services=frozenset(services))
            return knows.model_copy(update={"runs": {**knows.runs, recovery: run}})
        case MendingEnded(recovery=recovery):
            left = {name: run for name, run in knows.runs.items() if name != recovery}
            return knows.model_copy(update={"runs": left})
    assert_never(note)


MEND: Policy[Knowledge] = Policy(
    id="mend",
    title="Mend the cause, then prove its effects healthy",
    causes=(
        PlatformConfigured,
        TopologyDeclared,
        ServiceWentDown,
        ServiceLostSight,
        ServiceBecameHealthy,
        ServiceRetired,
        IncidentOpened,
        IncidentCauseChanged,
        IncidentResolved,
        RecoveryPlanned,
        *Over.__args__,
    ),
    notes=Note.__args__,
    initial=Knowledge(),
    states=PolicyState[Knowledge],
    observe=observe,
    evolve=evolve,
)
