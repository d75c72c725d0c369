"""Whom to tell of what: incidents, failed recoveries, what is parked, and what nobody sees."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from actors.alert import AnnotateAlert, FireAlert, ResolveAlert
from actors.policies.base import Conclusion, Policy, PolicyState, Wish
from actors.policies.mend import incident_of
from events.address import EntityAddress
from events.alert import Severity
from events.base import Envelope, Value
from events.entity import EntityParked, EntityReleased
from events.incident import (
    IncidentCauseChanged,
    IncidentEffectJoined,
    IncidentOpened,
    IncidentResolved,
)
from events.platform import PlatformConfigured, PlatformSettings
from events.policy import (
    CauseQuarantined,
    HelpAsked,
    IncidentTold,
    IncidentUntold,
    SettingsLearned,
    SightLost,
    SightRegained,
)
from events.recovery import RecoveryFailed
from events.service import (
    ServiceBecameHealthy,
    ServiceLostSight,
    ServiceRetired,
    ServiceWentDown,
)

NO_DATA_ALERT = "NoData"
NAMES_SHOWN_MAX = 10

Note = IncidentTold | IncidentUntold | HelpAsked | SightLost | SightRegained | SettingsLearned


class Told(Value):
    """An open incident and the alert that speaks for it."""

    alert: str
    cause: str
    effects: tuple[str, ...] = ()
    help_alert: str = ""


class Knowledge(Value):
    """Which incidents people were told of, and which services nobody sees."""

    settings: PlatformSettings = PlatformSettings()
    incidents: dict[str, Told] = {}
    blind: frozenset[str] = frozenset()


def observe(knows: Knowledge, envelope: Envelope, now: datetime) -> Conclusion:  # noqa: C901  (one match over all that can be asked)
    """Conclude from a fact whether people must be told, or told that it is over."""
    del now
    event, entity = envelope.event, envelope.entity
    match event:
        case PlatformConfigured(settings=settings):
            return Conclusion(notes=[SettingsLearned(settings=settings)])
        case IncidentOpened():
            return _opened(knows, event, envelope)
        case IncidentEffectJoined(service=service):
            return _more(knows, envelope, effects=(service,))
        case IncidentCauseChanged(cause=cause):
            return _more(knows, envelope, cause=cause)
        case IncidentResolved(reason=reason):
            return _resolved(knows, reason, envelope)
        case RecoveryFailed(reason=reason):
            return _ask_for_help(knows, reason, envelope)
        case EntityParked():
            return _parked(knows, event, envelope)
        case CauseQuarantined():
            return _left_out(knows, event, envelope)
        case EntityReleased(reason=reason):
            return Conclusion(wishes=[_resolve(f"EntityParked:{entity}", reason, envelope)])
        case ServiceLostSight():
            return _blind(knows, entity.id, envelope)
        case ServiceBecameHealthy() | ServiceWentDown() | ServiceRetired():
            return _seen(knows, entity.id, envelope)
        case _:
            return Conclusion()


def _opened(knows: Knowledge, event: IncidentOpened, envelope: Envelope) -> Conclusion:
    alert = f"ServiceDown:{event.cause}"
    if alert in {told.alert for told in knows.incidents.values()}:  # it speaks for another one
        alert = f"{alert}:{envelope.entity.id}"
    told = IncidentTold(incident=envelope.entity.id, alert=alert, cause=event.cause)
    severity: Severity = "critical" if event.critical else "warning"
    labels = {"alertname": "ServiceDown", "service": event.cause, "severity": severity}
    annotations = {**_annotations(told), "description": event.reason}
    return Conclusion(
        notes=[told],
        wishes=[_fire(knows, told.alert, labels, annotations, envelope, told.incident)],
    )


def _annotations(told: IncidentTold) -> dict[str, str]:
    summary = f"{told.cause} is down"
    if told.effects:
        summary += f", and because of it {_names(told.effects)}"
    return {"summary": summary, "incident": told.incident}


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN_MAX])
    left = len(names) - NAMES_SHOWN_MAX
    return f"{shown} and {left} more" if left > 0 else shown


def _more(
    knows: Knowledge, envelope: Envelope, cause: str = "", effects: tuple[str, ...] = ()
) -> Conclusion:
    known = knows.incidents.get(envelope.entity.id)
    if known is None:
        return Conclusion()
    was = (known.cause,) if cause and cause != known.cause else ()
    now_cause = cause or known.cause
    named = dict.fromkeys((*known.effects, *was, *effects))
    told = IncidentTold(
        incident=envelope.entity.id,
        alert=known.alert,
        cause=now_cause,
        effects=tuple(name for name in named if name != now_cause),
    )
    command = AnnotateAlert(annotations=_annotations(told))
    return Conclusion(notes=[told], wishes=[_to_alert(told.alert, command, envelope)])


def _resolved(knows: Knowledge, reason: str, envelope: Envelope) -> Conclusion:
    incident = envelope.entity.id
    known = knows.incidents.get(incident)
    if known is None:
        return Conclusion()
    alerts = [name for name in (known.alert, known.help_alert) if name]
    return Conclusion(
        notes=[IncidentUntold(incident=incident)],
        wishes=[_resolve(alert, reason, envelope) for alert in alerts],
    )


def _ask_for_help(knows: Knowledge, reason: str, envelope: Envelope) -> Conclusion:
    incident = incident_of(envelope.entity.id, knows.incidents)
    known = knows.incidents.get(incident)
    if known is None:
        return Conclusion()
    alert = f"RecoveryFailed:{incident}"
    labels = {"alertname": "RecoveryFailed", "service": known.cause, "severity": "critical"}
    annotations = {
        "summary": f"{known.cause} could not be mended: a person is needed",
        "description": reason,
        "incident": incident,
    }
    return Conclusion(
        notes=[HelpAsked(incident=incident, alert=alert)],
        wishes=[_fire(knows, alert, labels, annotations, envelope, incident)],
    )


def _parked(knows: Knowledge, event: EntityParked, envelope: Envelope) -> Conclusion:
    labels = {"alertname": "EntityParked", "entity": str(envelope.entity), "severity": "error"}
    annotations = {
        "summary": f"{envelope.entity} is parked: it raised an error in {event.where}",
        "description": event.error,
    }
    alert = f"EntityParked:{envelope.entity}"
    return Conclusion(wishes=[_fire(knows, alert, labels, annotations, envelope)])


def _left_out(knows: Knowledge, event: CauseQuarantined, envelope: Envelope) -> Conclusion:
    labels = {"alertname": "EventLeftOut", "entity": str(envelope.entity), "severity": "error"}
    annotations = {
        "summary": f"{envelope.entity} raised an error over {event.cause_type} and left it out",
        "description": f"event {event.cause_id}: {event.error}",
    }
    alert = f"EventLeftOut:{envelope.entity}"
    return Conclusion(wishes=[_fire(knows, alert, labels, annotations, envelope)])


def _blind(knows: Knowledge, service: str, envelope: Envelope) -> Conclusion:
    if service in knows.blind:
        return Conclusion()
    return Conclusion(
        notes=[SightLost(service=service)],
        wishes=[_tell_blind(knows, knows.blind | {service}, envelope)],
    )


def _seen(knows: Knowledge, service: str, envelope: Envelope) -> Conclusion:
    if service not in knows.blind:
        return Conclusion()
    left = knows.blind - {service}
    wish = (
        _tell_blind(knows, left, envelope)
        if left
        else _resolve(NO_DATA_ALERT, "every service is seen again", envelope)
    )
    return Conclusion(notes=[SightRegained(service=service)], wishes=[wish])


def _tell_blind(knows: Knowledge, blind: frozenset[str], envelope: Envelope) -> Wish:
    labels = {"alertname": NO_DATA_ALERT, "severity": "warning"}
    summary = f"nobody knows how these are: {_names(tuple(sorted(blind)))}"
    return _fire(knows, NO_DATA_ALERT, labels, {"summary": summary}, envelope)


def _fire(
    knows: Knowledge,
    alert: str,
    labels: dict[str, str],
    annotations: dict[str, str],
    envelope: Envelope,
    incident: str = "",
) -> Wish:
    settings = knows.settings
    command = FireAlert(
        labels=labels,
        annotations=annotations,
        severity=labels["severity"],  # type: ignore[arg-type]  # validated by the command
        receivers=settings.receivers,
        escalation=settings.escalation,
        incident=incident,
        executor=settings.executor,
    )
    return _to_alert(alert, command, envelope)


def _resolve(alert: str, reason: str, envelope: Envelope) -> Wish:
    return _to_alert(alert, ResolveAlert(reason=reason), envelope)


def _to_alert(
    alert: str, command: FireAlert | AnnotateAlert | ResolveAlert, envelope: Envelope
) -> Wish:
    origin = envelope.origin
    target = EntityAddress("alert", alert)
    return Wish(target, command, envelope.id, origin.correlation_id, origin.time)


def evolve(knows: Knowledge, note: Note) -> Knowledge:
    """Give what is known after a note."""
    match note:
        case SettingsLearned(settings=settings):
            return knows.model_copy(update={"settings": settings})
        case IncidentTold(incident=incident, alert=alert, cause=cause, effects=effects):
            asked = knows.incidents[incident].help_alert if incident in knows.incidents else ""
            told = Told(alert=alert, cause=cause, effects=effects, help_alert=asked)
            return _with_incidents(knows, {**knows.incidents, incident: told})
        case HelpAsked(incident=incident, alert=alert):
            told = knows.incidents[incident].model_copy(update={"help_alert": alert})
            return _with_incidents(knows, {**knows.incidents, incident: told})
        case IncidentUntold(incident=incident):
            left = {name: told for name, told in knows.incidents.items() if name != incident}
            return _with_incidents(knows, left)
        case SightLost(service=service):
            return knows.model_copy(update={"blind": knows.blind | {service}})
        case SightRegained(service=service):
            return knows.model_copy(update={"blind": knows.blind - {service}})
    assert_never(note)


def _with_incidents(knows: Knowledge, incidents: dict[str, Told]) -> Knowledge:
    return knows.model_copy(update={"incidents": incidents})


TELL: Policy[Knowledge] = Policy(
    id="tell",
    title="Tell people what they should know",
    causes=(
        PlatformConfigured,
        IncidentOpened,
        IncidentEffectJoined,
        IncidentCauseChanged,
        IncidentResolved,
        RecoveryFailed,
        EntityParked,
        EntityReleased,
        CauseQuarantined,
        ServiceLostSight,
        ServiceBecameHealthy,
        ServiceWentDown,
        ServiceRetired,
    ),
    notes=Note.__args__,
    initial=Knowledge(),
    states=PolicyState[Knowledge],
    observe=observe,
    evolve=evolve,
)
