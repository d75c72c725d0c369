"""Alerts: what fires, who has taken it, and when it was right again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, Column, Integer, String, Table, Text

from events.alert import (
    AlertAcknowledged,
    AlertAnnotated,
    AlertEscalated,
    AlertFired,
    AlertResolved,
)
from projections.base import METADATA, Projection, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.base import Envelope
    from projections.base import Change, Row, Rows

ALERTS = Table(
    "alerts",
    METADATA,
    Column("id", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("severity", String, nullable=False),
    Column("incident", String, nullable=False, index=True),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("receivers", JSON, nullable=False),
    Column("level", Integer, nullable=False),
    Column("fired", String, nullable=False),
    Column("acknowledged", String),
    Column("acknowledged_by", String, nullable=False),
    Column("comment", Text, nullable=False),
    Column("resolved", String),
    Column("resolution", Text, nullable=False),
    Column("times_fired", Integer, nullable=False),
    Column("event_id", String, nullable=False),
    Column("sequence", BigInteger, nullable=False, index=True),
)
STATES = ("firing", "acknowledged", "resolved")


def project(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    """Give the alert's row after one of its events."""
    before = rows.get(ALERTS, envelope.entity.id)
    place = {"event_id": envelope.id, "sequence": envelope.position.sequence}
    if isinstance(envelope.event, AlertFired):
        yield ALERTS, {**_fired(before, envelope, envelope.event), **place}
        return
    changes = _changes(envelope)
    if changes:
        assert before is not None, "something happens to an alert that never fired"
        yield ALERTS, {**before, **changes, **place}


def _fired(before: Row | None, envelope: Envelope, event: AlertFired) -> Row:
    return {
        "id": envelope.entity.id,
        "address": str(envelope.entity),
        "state": "firing",
        "severity": event.severity,
        "incident": event.incident.removeprefix("incident/"),
        "labels": dict(event.labels),
        "annotations": dict(event.annotations),
        "receivers": list(event.receivers),
        "level": 0,
        "fired": moment_text(envelope.origin.time),
        "acknowledged": None,
        "acknowledged_by": "",
        "comment": "",
        "resolved": None,
        "resolution": "",
        "times_fired": 1 if before is None else before["times_fired"] + 1,
    }


def _changes(envelope: Envelope) -> dict[str, Any]:
    time = moment_text(envelope.origin.time)
    match envelope.event:
        case AlertAnnotated(annotations=annotations):
            return {"annotations": dict(annotations)}
        case AlertAcknowledged(by=by, comment=comment):
            return {
                "state": "acknowledged",
                "acknowledged": time,
                "acknowledged_by": by,
                "comment": comment,
            }
        case AlertEscalated(level=level):
            return {"level": level}
        case AlertResolved(reason=reason):
            return {"state": "resolved", "resolved": time, "resolution": reason}
        case _:
            return {}


ALERT = Projection(
    name="alert", version=1, tables=(ALERTS,), kinds=frozenset({"alert"}), project=project
)
