"""Questions about the projections themselves, and what is wrong with entities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from projections.alert import ALERTS
from projections.entity import DECLINED, PARKED
from projections.incident import INCIDENTS
from projections.positions import ERRORS, read_positions
from projections.reading.database import rows
from projections.recovery import RECOVERIES
from projections.service import SERVICES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from projections.base import Row

LIMIT = 100


@dataclass(frozen=True, slots=True)
class ProjectionState:
    """Where a projection is, and how many events it had to leave out."""

    name: str
    version: int
    log_id: str
    generation: int
    sequence: int
    errors: int


def projection_states(connection: Connection) -> list[ProjectionState]:
    """Give the state of every projection, by name."""
    statement = select(ERRORS.c.projection, func.count()).group_by(ERRORS.c.projection)
    errors: dict[str, int] = dict(connection.execute(statement).all())
    return [
        ProjectionState(
            name=name,
            version=held.version,
            log_id=held.position.log_id,
            generation=held.position.generation,
            sequence=held.position.sequence,
            errors=errors.get(name, 0),
        )
        for name, held in sorted(read_positions(connection).items())
    ]


def faults(connection: Connection, limit: int = LIMIT) -> list[Row]:
    """Give what projections left out, the newest first."""
    order = (ERRORS.c.sequence.desc(), ERRORS.c.index.desc(), ERRORS.c.projection)
    return rows(connection, select(ERRORS).order_by(*order).limit(limit))


def parked_entities(connection: Connection, limit: int = LIMIT) -> list[Row]:
    """Give the entities in quarantine now, the newest first."""
    statement = select(PARKED).where(PARKED.c.state == "parked")
    return rows(connection, statement.order_by(PARKED.c.sequence.desc()).limit(limit))


def declined_commands(connection: Connection, entity: str = "", limit: int = LIMIT) -> list[Row]:
    """Give commands that led to no fact, the newest first."""
    statement = select(DECLINED)
    if entity:
        statement = statement.where(DECLINED.c.entity == entity)
    order = (DECLINED.c.sequence.desc(), DECLINED.c.index.desc())
    return rows(connection, statement.order_by(*order).limit(limit))


def counts(connection: Connection) -> dict[str, dict[str, int]]:
    """Give how many services, incidents, alerts and recoveries are in which state."""
    tables = {
        "services": SERVICES,
        "incidents": INCIDENTS,
        "alerts": ALERTS,
        "recoveries": RECOVERIES,
    }
    found: dict[str, dict[str, int]] = {}
    for name, table in tables.items():
        statement = select(table.c.state, func.count()).group_by(table.c.state)
        found[name] = dict(connection.execute(statement).all())
    return found
