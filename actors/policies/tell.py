"""Whom to tell of what: incidents, failed recoveries, what is parked, and what nobody sees."""

from __future__ import annotations

from datetime import datetime

from actors.alert import AnnotateAlert, FireAlert, ResolveAlert
from actors.policies.base import Conclusion, Policy, PolicyState, Wish
from actors.policies.mending import incident_of
from actors.policies.told import Knowledge, Note, evolve
from events.address import EntityAddress
from events.alert import Severity
from events.base import Envelope
from events.entity import EntityParked, EntityReleased
from events.incident import (
    IncidentCauseChanged,
    IncidentEffectJoined,
    IncidentOpened,
    IncidentResolved,
)
from events.platform import PlatformConfigured, PlatformToldWithoutLog
from events.policy import (
    CauseQuarantined,
    EndHeard,
    HelpAsked,
    IncidentTold,
    IncidentUntold,
    NoticeHeard,
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
from events.storage import StoragePressureChanged

NO_DATA_ALERT = "NoData"
DISK_ALERTS = (
    ("LogDiskFillsUp", "warning", {"high", "critical"}),
    ("LogDiskAlmostFull", "critical", {"critical"}),
)
"""Alert, severity, and under which pressures it fires."""
NAMES_SHOWN_MAX = 10


def observe(knows: Knowledge, envelope: Envelope, now: datetime) -> Conclusion:  # noqa: C901, PLR0912  (one match over all that can be asked)
    """Conclude from a fact whether people must be told, or told that it is over."""
    del now
    event, entity = envelope.event, envelope.entity
    match event:
        case PlatformConfigured(settings=settings):
            return Conclusion(notes=[SettingsLearned(settings=settings)])
        case PlatformToldWithoutLog():
            return Conclusion(notes=[_noted(event)])
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
        case StoragePressureChanged():
            return _disk(knows, event, envelope)
        case EntityReleased(reason=reason):
            return Conclusion(wishes=[_resolve(f"EntityParked:{entity}", reason, envelope)])
        case ServiceLostSight():
            return _blind(knows, entity.id, envelope)
        case ServiceBecameHealthy() | ServiceWentDown() | ServiceRetired():
            return _seen(knows, entity.id, envelope)
        case _:
            return Conclusion()


def _noted(event: PlatformToldWithoutLog) -> NoticeHeard:
    return NoticeHeard(
        alert=event.alert, receiver=event.receiver, status=event.status, told_at=event.told_at
    )


def _opened(knows: Knowledge, event: IncidentOpened, envelope: Envelope) -> Conclusion:
    alert = f"ServiceDown:{event.cause}"
    if alert in {told.alert for told in knows.incidents.values()}:  # it speaks for another one
        alert = f"{alert}:{envelope.entity.id}"
    told = IncidentTold(incident=envelope.entity.id, alert=alert, cause=event.cause)
    labels = down_labels(event.cause, critical=event.critical)
    annotations = {**_annotations(told), "description": event.reason}
    heard = knows.who_heard(alert, event.since)
    ends = tuple(name for name, status in heard.items() if status == "resolved")
    end = [EndHeard(incident=told.incident, receivers=ends)] if ends else []
    wish = _fire(knows, told.alert, labels, annotations, envelope, told.incident, tuple(heard))
    return Conclusion(notes=[told, *end], wishes=[wish])


def down_labels(cause: str, *, critical: bool) -> dict[str, str]:
    """Give the labels of the alert that a service is down: they tell it from all others."""
    severity: Severity = "critical" if critical else "warning"
    return {"alertname": "ServiceDown", "service": cause, "severity": severity}


def down_summary(cause: str, effects: tuple[str, ...]) -> str:
    """Say what is down, and what else because of it."""
    return f"{cause} is down" + (f", and because of it {_names(effects)}" if effects else "")


def _annotations(told: IncidentTold) -> dict[str, str]:
    return {"summary": down_summary(told.cause, told.effects), "incident": told.incident}


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
    wishes = [_resolve(known.alert, reason, envelope, known.end_heard)]
    if known.help_alert:
        wishes.append(_resolve(known.help_alert, reason, envelope))
    return Conclusion(notes=[IncidentUntold(incident=incident)], wishes=wishes)


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


def _disk(knows: Knowledge, event: StoragePressureChanged, envelope: Envelope) -> Conclusion:
    """Tell that the disk fills up, and once more when it is almost full."""
    used = f"{event.used_share:.0%} are used, {event.free_bytes // 1024**2} MiB are free"
    wishes = []
    for alert, severity, pressures in DISK_ALERTS:
        if event.pressure in pressures:
            labels = {"alertname": alert, "severity": severity}
            summary = {"summary": f"the disk of the log fills up: {used}"}
            wishes.append(_fire(knows, alert, labels, summary, envelope))
        else:
            wishes.append(_resolve(alert, used, envelope))
    return Conclusion(wishes=wishes)


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
    heard: tuple[str, ...] = (),
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
        heard=heard,
    )
    return _to_alert(alert, command, envelope)


def _resolve(alert: str, reason: str, envelope: Envelope, heard: tuple[str, ...] = ()) -> Wish:
    return _to_alert(alert, ResolveAlert(reason=reason, heard=heard), envelope)


def _to_alert(
    alert: str, command: FireAlert | AnnotateAlert | ResolveAlert, envelope: Envelope
) -> Wish:
    origin = envelope.origin
    target = EntityAddress("alert", alert)
    return Wish(target, command, envelope.id, origin.correlation_id, origin.time)


TELL: Policy[Knowledge] = Policy(
    id="tell",
    title="Tell people what they should know",
    causes=(
        PlatformConfigured,
        PlatformToldWithoutLog,
        IncidentOpened,
        IncidentEffectJoined,
        IncidentCauseChanged,
        IncidentResolved,
        RecoveryFailed,
        EntityParked,
        EntityReleased,
        CauseQuarantined,
        StoragePressureChanged,
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
