"""One failure, one incident: a failed service is the effect of what it needs, where that failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce

from actors.incident import ChangeCause, JoinEffect, OpenIncident, ReportMember, ResolveIncident
from actors.policies.base import Conclusion, Policy, PolicyState, Wish
from actors.policies.picture import Case, Note, Picture, Symptom, evolve
from actors.service import RequestProbe
from actors.topology import needs_of, walk
from events.address import EntityAddress
from events.base import Envelope
from events.platform import PlatformConfigured
from events.policy import (
    CaseCauseChanged,
    CaseClosed,
    CaseOpened,
    SettingsLearned,
    SymptomCleared,
    SymptomPlaced,
    SymptomSeen,
    TopologyLearned,
)
from events.service import ServiceBecameHealthy, ServiceRetired, ServiceWentDown
from events.topology import TopologyDeclared

PROBES_MAX = 20
PLACED_MAX = 200
"""So many symptoms are placed in one conclusion at most: it must fit into a commit."""


def observe(picture: Picture, envelope: Envelope, now: datetime) -> Conclusion:
    """Conclude from a fact about a service or about the platform's shape."""
    event, service = envelope.event, envelope.entity.id
    match event:
        case ServiceWentDown():
            return _went_down(picture, service, event, envelope, now)
        case ServiceBecameHealthy():
            return _cleared(picture, service, "healthy again", envelope)
        case ServiceRetired():
            return _cleared(picture, service, "retired", envelope)
        case TopologyDeclared(services=services):
            return Conclusion(notes=[TopologyLearned(services=services)])
        case PlatformConfigured(settings=settings):
            return Conclusion(notes=[SettingsLearned(settings=settings)])
        case _:
            return Conclusion()


def tick(picture: Picture, now: datetime) -> Conclusion:
    """Place the symptoms whose time to settle is over."""
    conclusion = Conclusion()
    waiting = [name for name, one in picture.symptoms.items() if not one.incident]
    _place_all(picture, waiting, conclusion, now)
    return conclusion


def due(picture: Picture) -> datetime | None:
    """Give when the next symptom can be placed. What is blamed on another waits for that one."""
    waiting = [one for one in picture.symptoms.values() if not one.incident]
    moments = [_due_at(picture, symptom) for symptom in waiting]
    return min((moment for moment in moments if moment is not None), default=None)


def _due_at(picture: Picture, symptom: Symptom) -> datetime | None:
    blamed = _blamed(picture, symptom)
    if not blamed:
        return symptom.settles_at
    return symptom.since if any(cause.incident for cause in blamed) else None


def _went_down(
    picture: Picture, service: str, event: ServiceWentDown, envelope: Envelope, now: datetime
) -> Conclusion:
    if service in picture.symptoms:
        return Conclusion()
    needs = needs_of(picture.services, service)
    settle = timedelta(seconds=picture.settings.settle_seconds if needs else 0)
    seen = SymptomSeen(
        service=service,
        cause_id=envelope.id,
        correlation_id=envelope.origin.correlation_id,
        reason=event.reason,
        since=event.since,
        observed=envelope.origin.time,
        critical=_is_critical(picture, service),
        settles_at=now + settle,
        sequence=envelope.position.sequence,
        evidence=event.evidence,
    )
    conclusion = Conclusion(notes=[seen])
    suspects = [need for need in needs if need not in picture.symptoms][:PROBES_MAX]
    conclusion.wishes.extend(_probe(suspect, service, envelope) for suspect in suspects)
    _place_all(evolve(picture, seen), [service], conclusion, now)
    return conclusion


def _is_critical(picture: Picture, service: str) -> bool:
    node = picture.services.get(service)
    return node is None or node.critical


def _probe(suspect: str, service: str, envelope: Envelope) -> Wish:
    return Wish(
        EntityAddress("service", suspect),
        RequestProbe(reason=f"{service} needs it and is down"),
        envelope.id,
        envelope.origin.correlation_id,
        envelope.origin.time,
    )


def _place_all(
    picture: Picture, names: Iterable[str], conclusion: Conclusion, now: datetime
) -> None:
    """Place symptoms, and what a new cause explains of the others; the rest stays due."""
    queue, placed_count = deque(names), 0
    while queue and placed_count < PLACED_MAX:
        symptom = picture.symptoms.get(queue.popleft())
        placed = None if symptom is None or symptom.incident else _place(picture, symptom, now)
        if symptom is None or placed is None:
            continue
        placed_count += 1
        conclusion.notes.extend(placed.notes)
        conclusion.wishes.extend(placed.wishes)
        picture = reduce(evolve, placed.notes, picture)  # type: ignore[arg-type]
        if len(placed.notes) > 1:  # it is a cause now
            queue.extendleft(reversed(_affected(picture, symptom.service)))


def _affected(picture: Picture, service: str) -> tuple[str, ...]:
    """Give all that needs a service, nearest first."""
    return walk(service, lambda name: picture.needed_by.get(name, ()))


def _blamed(picture: Picture, symptom: Symptom) -> list[Symptom]:
    needs = needs_of(picture.services, symptom.service)
    return [picture.symptoms[need] for need in needs if need in picture.symptoms]


def _place(picture: Picture, symptom: Symptom, now: datetime) -> Conclusion | None:
    blamed = _blamed(picture, symptom)
    for cause in blamed:
        if cause.incident:
            return _join(picture.cases[cause.incident], symptom, cause.service)
    if blamed or now < symptom.settles_at:
        return None
    affected = {symptom.service, *_affected(picture, symptom.service)}
    explained = [case for case in picture.cases.values() if case.cause in affected]
    return _take_over(picture, symptom, explained) if explained else _open(symptom)


def _join(case: Case, symptom: Symptom, cause: str) -> Conclusion:
    command = JoinEffect(
        service=symptom.service,
        because=f"it needs {cause}, which is down",
        reason=symptom.reason,
        since=symptom.since,
        evidence=symptom.evidence,
    )
    return Conclusion(
        notes=[SymptomPlaced(service=symptom.service, incident=case.incident)],
        wishes=[_to_incident(case, command, symptom)],
    )


def _open(symptom: Symptom) -> Conclusion:
    case = Case(
        incident=f"{symptom.service}-{symptom.sequence}",
        cause=symptom.service,
        correlation_id=symptom.correlation_id,
    )
    command = OpenIncident(
        cause=symptom.service,
        reason=symptom.reason,
        since=symptom.since,
        critical=symptom.critical,
        evidence=symptom.evidence,
    )
    opened = CaseOpened(
        incident=case.incident, cause=case.cause, correlation_id=case.correlation_id
    )
    return Conclusion(
        notes=[opened, SymptomPlaced(service=symptom.service, incident=case.incident)],
        wishes=[_to_incident(case, command, symptom)],
    )


def _take_over(picture: Picture, symptom: Symptom, explained: list[Case]) -> Conclusion:
    """Make the symptom the cause of the oldest incident it explains; the others end in it.

    Where it was the cause before, recovered, and failed again, it is so anew.
    """
    case, *others = explained
    command = ChangeCause(cause=symptom.service, reason=symptom.reason, evidence=symptom.evidence)
    conclusion = Conclusion(
        notes=[
            CaseCauseChanged(incident=case.incident, cause=symptom.service),
            SymptomPlaced(service=symptom.service, incident=case.incident),
        ],
        wishes=[_to_incident(case, command, symptom)],
    )
    for other in others:
        _merge(picture, case, other, symptom, conclusion)
    return conclusion


def _merge(
    picture: Picture, case: Case, other: Case, cause: Symptom, conclusion: Conclusion
) -> None:
    ending = ResolveIncident(reason=f"it is part of incident {case.incident}")
    conclusion.wishes.append(_to_incident(other, ending, cause))
    for symptom in picture.symptoms.values():
        if symptom.incident == other.incident:
            joined = _join(case, symptom, cause.service)
            conclusion.notes.extend(joined.notes)
            conclusion.wishes.extend(joined.wishes)
    conclusion.notes.append(CaseClosed(incident=other.incident))


def _to_incident(
    case: Case,
    command: OpenIncident | JoinEffect | ChangeCause | ResolveIncident,
    symptom: Symptom,
) -> Wish:
    return Wish(
        EntityAddress("incident", case.incident),
        command,
        symptom.cause_id,
        case.correlation_id,
        symptom.observed,
    )


def _cleared(picture: Picture, service: str, reason: str, envelope: Envelope) -> Conclusion:
    symptom = picture.symptoms.get(service)
    if symptom is None:
        return Conclusion()
    conclusion = Conclusion(notes=[SymptomCleared(service=service)])
    if symptom.incident:
        case = picture.cases[symptom.incident]
        target = EntityAddress("incident", case.incident)
        command = ReportMember(service=service, reason=reason)
        conclusion.wishes.append(
            Wish(target, command, envelope.id, case.correlation_id, envelope.origin.time)
        )
        if not _others_of(picture, symptom):
            conclusion.notes.append(CaseClosed(incident=case.incident))
    return conclusion


def _others_of(picture: Picture, symptom: Symptom) -> bool:
    return any(
        other.incident == symptom.incident and other.service != symptom.service
        for other in picture.symptoms.values()
    )


CORRELATE: Policy[Picture] = Policy(
    id="correlate",
    title="One incident for one cause",
    causes=(
        ServiceWentDown,
        ServiceBecameHealthy,
        ServiceRetired,
        TopologyDeclared,
        PlatformConfigured,
    ),
    notes=Note.__args__,
    initial=Picture(),
    states=PolicyState[Picture],
    observe=observe,
    evolve=evolve,
    tick=tick,
    due=due,
)
