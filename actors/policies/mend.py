"""What to do about an incident: mend its cause, then see its effects healthy, in that order."""

from __future__ import annotations

from datetime import datetime
from functools import reduce

from actors.incident import NoteRecovery
from actors.policies.base import Conclusion, Policy, PolicyState, Wish
from actors.policies.mending import Knowledge, Note, evolve
from actors.policies.planning import plan
from actors.recovery import (
    CancelRecovery,
    ReportKnownHealth,
    ReportServiceHealth,
    ReportSightLost,
    StartRecovery,
    WithdrawRecovery,
)
from actors.topology import dependents_of
from events.address import EntityAddress
from events.base import Envelope, Event
from events.incident import IncidentCauseChanged, IncidentOpened, IncidentResolved
from events.platform import PlatformConfigured
from events.policy import (
    CauseNoted,
    HealthNoted,
    MendingBegan,
    MendingEnded,
    SettingsLearned,
    SightLost,
    SightRegained,
    TopologyLearned,
)
from events.recovery import (
    RecoveryCancelled,
    RecoveryFailed,
    RecoveryPlanned,
    RecoveryRejected,
    RecoveryStepActed,
    RecoverySucceeded,
)
from events.service import (
    ServiceBecameHealthy,
    ServiceLostSight,
    ServiceRetired,
    ServiceWentDown,
)
from events.topology import TopologyDeclared

MYSELF = "policy:mend"

Over = RecoverySucceeded | RecoveryFailed | RecoveryCancelled | RecoveryRejected


def observe(knows: Knowledge, envelope: Envelope, now: datetime) -> Conclusion:  # noqa: C901  (one match over all that can be asked)
    """Conclude from a fact whether something is to be mended, or has been."""
    del now
    event, entity = envelope.event, envelope.entity
    match event:
        case PlatformConfigured(settings=settings):
            return Conclusion(notes=[SettingsLearned(settings=settings)])
        case TopologyDeclared(services=services):
            return Conclusion(notes=[TopologyLearned(services=services)])
        case ServiceWentDown():
            return _went_down(knows, entity.id, envelope)
        case ServiceLostSight():
            return _lost_sight(knows, entity.id, envelope)
        case ServiceBecameHealthy() | ServiceRetired():
            return _became_healthy(knows, entity.id, envelope)
        case IncidentOpened(cause=cause):
            return _begin(knows, entity.id, cause, envelope, f"{entity.id}:{cause}")
        case IncidentCauseChanged(cause=cause, was=was):
            return _begin_anew(knows, cause, was, envelope)
        case IncidentResolved():
            return _resolved(knows, envelope)
        case RecoveryPlanned(incident=incident, mode=mode):
            return _planned(knows, incident, mode, envelope)
        case RecoveryStepActed(verify_until=as_of):
            return _acted(knows, as_of, envelope)
        case RecoverySucceeded() | RecoveryFailed() | RecoveryCancelled() | RecoveryRejected():
            return _over(knows, event, envelope)
        case _:
            return Conclusion()


def _went_down(knows: Knowledge, service: str, envelope: Envelope) -> Conclusion:
    notes: list[Note] = (
        [] if service in knows.failing else [HealthNoted(service=service, down=True)]
    )
    if service in knows.blind:
        notes.append(SightRegained(service=service))
    return _news(knows, notes, ReportServiceHealth(service=service, healthy=False), envelope)


def _lost_sight(knows: Knowledge, service: str, envelope: Envelope) -> Conclusion:
    """Note that nobody knows; who was down is so until it is seen otherwise."""
    known = service in knows.failing | knows.blind
    notes: list[Note] = [] if known else [SightLost(service=service)]
    return _news(knows, notes, ReportSightLost(service=service), envelope)


def _became_healthy(knows: Knowledge, service: str, envelope: Envelope) -> Conclusion:
    notes: list[Note] = []
    if service in knows.failing:
        notes.append(HealthNoted(service=service, down=False))
    if service in knows.blind:
        notes.append(SightRegained(service=service))
    report = ReportServiceHealth(service=service, healthy=True)
    conclusion = _news(knows, notes, report, envelope)
    if notes:
        _mend_effects(reduce(evolve, notes, knows), service, envelope, conclusion)
    return conclusion


def _news(
    knows: Knowledge,
    notes: list[Note],
    report: ReportServiceHealth | ReportSightLost,
    envelope: Envelope,
) -> Conclusion:
    """Report to each recovery that has the service in its plan, where there is anything new."""
    if not notes:
        return Conclusion()
    concerned = [run.recovery for run in knows.runs.values() if report.service in run.services]
    wishes = [_to_recovery(recovery, report, envelope) for recovery in concerned]
    return Conclusion(notes=[*notes], wishes=wishes)


def _mend_effects(knows: Knowledge, cause: str, envelope: Envelope, conclusion: Conclusion) -> None:
    """See to it that effects become healthy too, where a cause does so and nothing runs for it."""
    if knows.settings.recovery_mode != "automatic":
        return
    for incident, known in knows.causes.items():
        is_over = known == cause and not knows.runs_of(incident)
        if is_over and knows.failing.intersection(dependents_of(knows.services, cause)):
            _add_another(conclusion, knows, incident, envelope)


def _add_another(
    conclusion: Conclusion, knows: Knowledge, incident: str, envelope: Envelope
) -> None:
    """Conclude besides that the cause of an incident is mended once more."""
    cause = knows.causes[incident]
    begun = _begin(knows, incident, cause, envelope, _another(incident, cause, envelope))
    conclusion.notes.extend(begun.notes)
    conclusion.wishes.extend(begun.wishes)


def _another(incident: str, cause: str, envelope: Envelope) -> str:
    return f"{incident}:{cause}:{envelope.position.sequence}"


def _acted(knows: Knowledge, as_of: datetime, envelope: Envelope) -> Conclusion:
    """Say what was known when a step acted: what a recovery hears after that is newer."""
    run = knows.runs.get(envelope.entity.id)
    if run is None:
        return Conclusion()
    report = ReportKnownHealth(as_of=as_of, healthy=knows.healthy_of(sorted(run.services)))
    return Conclusion(wishes=[_to_recovery(run.recovery, report, envelope)])


def _begin(
    knows: Knowledge, incident: str, cause: str, envelope: Envelope, recovery: str
) -> Conclusion:
    node = knows.services.get(cause)
    if node is None or node.recovery is None:
        return Conclusion(notes=_left(knows, incident))
    steps = plan(knows.services, cause, node.recovery)
    services = tuple(step.service for step in steps)
    command = StartRecovery(
        incident=incident,
        cause=cause,
        steps=steps,
        mode=knows.settings.recovery_mode,
        executor=knows.settings.executor,
        healthy=knows.healthy_of(services),
        approval_seconds=knows.settings.approval_seconds,
    )
    return Conclusion(
        notes=[
            CauseNoted(incident=incident, cause=cause),
            MendingBegan(incident=incident, recovery=recovery, services=services),
        ],
        wishes=[_to_recovery(recovery, command, envelope)],
    )


def _left(knows: Knowledge, incident: str) -> list[Event]:
    """Note that nothing more is to be mended for an incident."""
    return [CauseNoted(incident=incident)] if incident in knows.causes else []


def _begin_anew(knows: Knowledge, cause: str, was: str, envelope: Envelope) -> Conclusion:
    """Mend another cause, or the same one that failed again; what runs for the old one stops."""
    incident = envelope.entity.id
    running = knows.runs_of(incident)
    if cause == was and running:  # it hears of it, and turns back
        return Conclusion()
    conclusion = _begin(knows, incident, cause, envelope, _another(incident, cause, envelope))
    command = CancelRecovery(by=MYSELF, reason=f"the cause is {cause}")
    cancels = [_to_recovery(run.recovery, command, envelope) for run in running]
    return Conclusion(notes=conclusion.notes, wishes=[*cancels, *conclusion.wishes])


def _resolved(knows: Knowledge, envelope: Envelope) -> Conclusion:
    """Withdraw what still waits for a person; what runs proves itself or fails."""
    incident = envelope.entity.id
    notes = _left(knows, incident)
    if knows.settings.recovery_mode != "approval":
        return Conclusion(notes=notes)
    command = WithdrawRecovery(by=MYSELF, reason="healthy again without it")
    waiting = knows.runs_of(incident)
    wishes = [_to_recovery(run.recovery, command, envelope) for run in waiting]
    return Conclusion(notes=notes, wishes=wishes)


def _planned(knows: Knowledge, incident: str, mode: str, envelope: Envelope) -> Conclusion:
    recovery = envelope.entity.id
    shadow = mode == "shadow"
    command = NoteRecovery(recovery=recovery, outcome="shadow" if shadow else "")
    over = [MendingEnded(recovery=recovery), *_left(knows, incident)]
    return Conclusion(
        notes=over if shadow else [], wishes=[_to_incident(incident, command, envelope)]
    )


def _over(knows: Knowledge, event: Over, envelope: Envelope) -> Conclusion:
    """Note how it ended. Where its cause is down by now, and no person has it, mend that again."""
    recovery = envelope.entity.id
    run = knows.runs.get(recovery)
    if run is None:
        return Conclusion()
    outcome = type(event).__name__.removeprefix("Recovery").lower()
    command = NoteRecovery(recovery=recovery, outcome=outcome)
    ended = MendingEnded(recovery=recovery)
    wish = _to_incident(run.incident, command, envelope)
    conclusion = Conclusion(notes=[ended], wishes=[wish])
    knows = evolve(knows, ended)
    if isinstance(event, RecoveryFailed) or knows.runs_of(run.incident):
        return conclusion  # its attempts are used up and people know, or another one mends it
    if not (isinstance(event, RecoverySucceeded) or _is_withdrawn(event)):
        conclusion.notes.extend(_left(knows, run.incident))
    elif knows.causes.get(run.incident) in knows.failing:
        _add_another(conclusion, knows, run.incident, envelope)
    return conclusion


def _is_withdrawn(event: Over) -> bool:
    return isinstance(event, RecoveryCancelled) and event.by == MYSELF


def _to_recovery(
    recovery: str,
    command: StartRecovery
    | CancelRecovery
    | WithdrawRecovery
    | ReportServiceHealth
    | ReportSightLost
    | ReportKnownHealth,
    envelope: Envelope,
) -> Wish:
    origin = envelope.origin
    target = EntityAddress("recovery", recovery)
    return Wish(target, command, envelope.id, origin.correlation_id, origin.time)


def _to_incident(incident: str, command: NoteRecovery, envelope: Envelope) -> Wish:
    origin = envelope.origin
    target = EntityAddress("incident", incident)
    return Wish(target, command, envelope.id, origin.correlation_id, origin.time)


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
        RecoveryStepActed,
        *Over.__args__,
    ),
    notes=Note.__args__,
    initial=Knowledge(),
    states=PolicyState[Knowledge],
    observe=observe,
    evolve=evolve,
)
