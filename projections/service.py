"""Services: one row each, with its settings, its state and since when it is so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, String, Table, Text

from events.service import (
    ServiceBecameHealthy,
    ServiceConfigured,
    ServiceLostSight,
    ServiceRetired,
    ServiceWentDown,
)
from projections.base import METADATA, Projection, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.base import Envelope, Event
    from projections.base import Change, Row, Rows

SERVICES = Table(
    "services",
    METADATA,
    Column("id", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("since", String),
    Column("reason", Text, nullable=False),
    Column("check", String, nullable=False),
    Column("critical", Boolean, nullable=False),
    Column("depends_on", JSON, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("configuration_hash", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)
STATES = ("healthy", "down", "no data", "unknown", "retired")


def project(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    """Give the service's row after one of its events."""
    before = rows.get(SERVICES, envelope.entity.id) or _unseen(envelope)
    changes = _changes(before, envelope.event)
    if changes:
        place = {"event_id": envelope.id, "sequence": envelope.position.sequence}
        since = {"since": moment_text(envelope.origin.time)} if "state" in changes else {}
        yield SERVICES, {**before, **since, **changes, **place}


def _unseen(envelope: Envelope) -> Row:
    return {
        "id": envelope.entity.id,
        "address": str(envelope.entity),
        "title": envelope.entity.id,
        "state": "unknown",
        "since": None,
        "reason": "",
        "check": "",
        "critical": True,
        "depends_on": [],
        "settings": {},
        "configuration_hash": "",
    }


def _changes(before: Row, event: Event) -> dict[str, Any]:
    match event:
        case ServiceConfigured():
            return _configured(before, event)
        case ServiceRetired(reason=reason):
            return {"state": "retired", "reason": reason, "check": ""}
        case ServiceBecameHealthy(since=since):
            return _judged("healthy", moment_text(since), "", "")
        case ServiceWentDown(since=since, reason=reason, check=check):
            return _judged("down", moment_text(since), reason, check)
        case ServiceLostSight(since=since, reason=reason):
            return _judged("no data", moment_text(since), reason, "")
        case _:
            return {}


def _judged(state: str, since: str, reason: str, check: str) -> dict[str, Any]:
    return {"state": state, "since": since, "reason": reason, "check": check}


def _configured(before: Row, event: ServiceConfigured) -> dict[str, Any]:
    """A service that was watched keeps its state; a new or retired one has no verdict yet."""
    settings = event.settings
    fresh = before["state"] == "retired" or before["since"] is None
    return {
        **({"state": "unknown", "reason": ""} if fresh else {}),
        "title": settings.title or before["id"],
        "critical": settings.critical,
        "depends_on": list(settings.depends_on),
        "settings": settings.model_dump(mode="json"),
        "configuration_hash": event.configuration_hash,
    }


SERVICE = Projection(
    name="service", version=1, tables=(SERVICES,), kinds=frozenset({"service"}), project=project
)
