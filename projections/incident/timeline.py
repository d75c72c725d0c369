"""The timeline: every event about an incident as a line, whichever entity it happened to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.alert import AlertFired
from events.incident import (
    IncidentCauseChanged,
    IncidentEffectJoined,
    IncidentOpened,
    IncidentResolved,
)
from events.recovery import RecoveryPlanned, RecoveryServiceReported
from events.service import ServiceBecameHealthy, ServiceLostSight, ServiceRetired, ServiceWentDown
from projections.base import moment_text
from projections.incident.summary import bare
from projections.incident.tables import LINKS, MEMBERS, SYMPTOMS, TIMELINE
from projections.texts import describe, first_probe_text, tone_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.base import Envelope
    from projections.base import Change, Row, Rows


_HEALTH = ServiceWentDown | ServiceBecameHealthy | ServiceRetired | ServiceLostSight


def project(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    """Give the lines that an event adds, and the links by which later events are found."""
    match envelope.entity.kind:
        case "service":
            yield from _service(rows, envelope)
        case "incident":
            yield from _incident(rows, envelope)
        case _:
            yield from _linked(rows, envelope)


def _service(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    event = envelope.event
    if isinstance(event, ServiceWentDown):
        yield SYMPTOMS, _symptom(envelope, event)
    if isinstance(event, _HEALTH):
        link = rows.get(LINKS, str(envelope.entity))
        if link is not None and link["open"]:
            yield _line(link["incident"], envelope)


def _symptom(envelope: Envelope, event: ServiceWentDown) -> Row:
    return {
        "service": envelope.entity.id,
        "sequence": envelope.position.sequence,
        "index": envelope.index,
        "event_id": envelope.id,
        "event": type(event).__name__,
        "since": moment_text(event.since),
        "time": moment_text(envelope.decided),
        "first": first_probe_text(event, envelope.entity.id),
        "text": describe(event, str(envelope.entity)),
    }


def _incident(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    incident = envelope.entity.id
    match envelope.event:
        case IncidentOpened(cause=cause) | IncidentCauseChanged(cause=cause):
            yield from _take_in(rows, incident, bare(cause))
        case IncidentEffectJoined(service=service):
            yield from _take_in(rows, incident, bare(service))
        case IncidentResolved():
            yield from _let_go(rows, envelope)
    yield _line(incident, envelope)


def _take_in(rows: Rows, incident: str, service: str) -> Iterator[Change]:
    """Link a service to an incident, and put its symptom into the timeline."""
    yield LINKS, {"entity": f"service/{service}", "incident": incident, "open": True}
    symptom = rows.get(SYMPTOMS, service)
    if symptom is not None:
        for part, time, text in ((0, "since", "first"), (1, "time", "text")):
            yield (
                TIMELINE,
                {
                    "incident": incident,
                    "sequence": symptom["sequence"],
                    "index": symptom["index"],
                    "part": part,
                    "event_id": symptom["event_id"],
                    "time": symptom[time],
                    "event": symptom["event"] if part else "ProbeFailed",
                    "tone": "bad",
                    "entity": f"service/{service}",
                    "text": symptom[text],
                },
            )


def _let_go(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    """Close the links of the services that the incident is known to hold."""
    incident = envelope.entity.id
    for service in members_of(rows, incident):
        link = rows.get(LINKS, f"service/{service}")
        if link is not None and link["incident"] == incident:
            yield LINKS, {**link, "open": False}


def members_of(rows: Rows, incident: str) -> list[str]:
    """Give the ids of the services in an incident."""
    return [row["service"] for row in rows.under(MEMBERS, incident)]


def _linked(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    """Give the line of an alert or a recovery, where it belongs to an incident.

    What a service tells a recovery is in the timeline already, as the service's own event.
    """
    event = envelope.event
    if isinstance(event, AlertFired | RecoveryPlanned):
        incident = event.incident.removeprefix("incident/")
        yield LINKS, {"entity": str(envelope.entity), "incident": incident, "open": True}
    else:
        link = rows.get(LINKS, str(envelope.entity))
        incident = "" if link is None else link["incident"]
    if incident and not isinstance(event, RecoveryServiceReported):
        yield _line(incident, envelope)


def _line(incident: str, envelope: Envelope) -> Change:
    event = envelope.event
    return TIMELINE, {
        "incident": incident,
        "sequence": envelope.position.sequence,
        "index": envelope.index,
        "part": 1,
        "event_id": envelope.id,
        "time": moment_text(envelope.decided),
        "event": type(event).__name__,
        "tone": tone_of(event),
        "entity": str(envelope.entity),
        "text": describe(event, str(envelope.entity)),
    }
