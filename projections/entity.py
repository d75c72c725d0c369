"""Entities in quarantine, and commands that led to no fact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from events.entity import CommandDeclined, EntityParked, EntityReleased
from projections.base import METADATA, Projection, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.base import Envelope
    from projections.base import Change, Row, Rows

PARKED = Table(
    "parked_entities",
    METADATA,
    Column("entity", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("where", String, nullable=False),
    Column("error", Text, nullable=False),
    Column("unreadable_sequence", BigInteger, nullable=False),
    Column("parked", String, nullable=False),
    Column("released", String),
    Column("released_because", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

DECLINED = Table(
    "declined_commands",
    METADATA,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("entity", String, nullable=False, index=True),
    Column("command", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("principal", String, nullable=False),
    Column("time", String, nullable=False),
    Column("causation_id", String),
    Column("correlation_id", String, nullable=False),
)


def project(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    """Give what changes when an entity is parked or released, or declines a command."""
    match envelope.event:
        case CommandDeclined() as event:
            yield DECLINED, _declined(envelope, event)
        case EntityParked() as event:
            yield PARKED, _parked(envelope, event)
        case EntityReleased(reason=reason):
            before = rows.get(PARKED, str(envelope.entity))
            assert before is not None, "an entity is released that was never parked"
            released = {"state": "released", "released": moment_text(envelope.origin.time)}
            place = {"released_because": reason, "sequence": envelope.position.sequence}
            yield PARKED, {**before, **released, **place}
        case _:
            return


def _declined(envelope: Envelope, event: CommandDeclined) -> Row:
    return {
        "sequence": envelope.position.sequence,
        "index": envelope.index,
        "entity": str(envelope.entity),
        "command": event.command,
        "reason": event.reason,
        "principal": envelope.origin.principal,
        "time": moment_text(envelope.origin.time),
        "causation_id": envelope.origin.causation_id,
        "correlation_id": envelope.origin.correlation_id,
    }


def _parked(envelope: Envelope, event: EntityParked) -> Row:
    return {
        "entity": str(envelope.entity),
        "state": "parked",
        "where": event.where,
        "error": event.error,
        "unreadable_sequence": event.sequence,
        "parked": moment_text(envelope.origin.time),
        "released": None,
        "released_because": "",
        "sequence": envelope.position.sequence,
    }


ENTITY = Projection(name="entity", version=1, tables=(PARKED, DECLINED), project=project)
