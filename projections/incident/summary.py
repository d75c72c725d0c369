"""An incident's own row and those of the services in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from events.incident import (
    IncidentCauseChanged,
    IncidentEffectJoined,
    IncidentMemberRecovered,
    IncidentOpened,
    IncidentRecoveryBegan,
    IncidentRecoveryEnded,
    IncidentResolved,
)
from projections.base import moment_text
from projections.incident.tables import INCIDENTS, MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.base import Envelope, Event
    from projections.base import Change, Row, Rows


def project(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    """Give the rows of the incident and its members after an event of the incident."""
    if envelope.entity.kind != "incident":
        return
    before = rows.get(INCIDENTS, envelope.entity.id)
    if isinstance(envelope.event, IncidentOpened):
        yield INCIDENTS, _opened(envelope, envelope.event)
    else:
        changes = _changes(envelope)
        if changes:
            assert before is not None, "something happens to an incident that never opened"
            yield INCIDENTS, {**before, **changes, "sequence": envelope.position.sequence}
    yield from _members(rows, envelope)


def bare(service: str) -> str:
    """Give a service's id, whether it was named by id or by address."""
    return service.removeprefix("service/")


def _opened(envelope: Envelope, event: IncidentOpened) -> Row:
    return {
        "id": envelope.entity.id,
        "address": str(envelope.entity),
        "state": "open",
        "cause": bare(event.cause),
        "reason": event.reason,
        "critical": event.critical,
        "since": moment_text(event.since),
        "opened": moment_text(envelope.origin.time),
        "resolved": None,
        "resolution": "",
        "lasted_seconds": None,
        "recovery": "",
        "recovery_outcome": "",
        "correlation_id": envelope.origin.correlation_id,
        "event_id": envelope.id,
        "opened_sequence": envelope.position.sequence,
        "sequence": envelope.position.sequence,
    }


def _changes(envelope: Envelope) -> dict[str, Any]:
    match envelope.event:
        case IncidentCauseChanged(cause=cause, reason=reason):
            return {"cause": bare(cause), "reason": reason}
        case IncidentRecoveryBegan(recovery=recovery):
            return {"recovery": recovery.removeprefix("recovery/"), "recovery_outcome": ""}
        case IncidentRecoveryEnded(recovery=recovery, outcome=outcome):
            return {"recovery": recovery.removeprefix("recovery/"), "recovery_outcome": outcome}
        case IncidentResolved(reason=reason, lasted_seconds=lasted):
            return {
                "state": "resolved",
                "resolved": moment_text(envelope.origin.time),
                "resolution": reason,
                "lasted_seconds": lasted,
            }
        case _:
            return {}


def _members(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    event = envelope.event
    match event:
        case IncidentOpened(cause=cause):
            yield _member(rows, envelope, cause, "cause", "", event)
        case IncidentEffectJoined(service=service, because=because):
            yield _member(rows, envelope, service, "effect", because, event)
        case IncidentCauseChanged(cause=cause, was=was, reason=reason):
            yield _member(rows, envelope, cause, "cause", "", event)
            if was != cause:
                yield _member(rows, envelope, was, "effect", reason, event)
        case IncidentMemberRecovered(service=service):
            before = rows.get(MEMBERS, envelope.entity.id, bare(service))
            if before is not None:
                recovered = {"recovered": moment_text(envelope.origin.time)}
                yield MEMBERS, {**before, **recovered}


def _member(
    rows: Rows, envelope: Envelope, service: str, role: str, because: str, event: Event
) -> Change:
    """Give a member's row; one that is there keeps since when it fails."""
    incident, time = envelope.entity.id, moment_text(envelope.origin.time)
    before = rows.get(MEMBERS, incident, bare(service))
    if before is not None:
        recovered = None if isinstance(event, IncidentEffectJoined) else before["recovered"]
        change = {"role": role, "because": because, "recovered": recovered}
        return MEMBERS, {**before, **change}
    since = getattr(event, "since", None)
    return MEMBERS, {
        "incident": incident,
        "service": bare(service),
        "role": role,
        "because": because,
        "reason": getattr(event, "reason", ""),
        "since": time if since is None else moment_text(since),
        "joined": time,
        "recovered": None,
        "sequence": envelope.position.sequence,
    }
