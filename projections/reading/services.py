"""Questions about services."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from sqlalchemy import case, select

from projections.reading.database import first, rows
from projections.service import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from projections.base import Row

NEAR_MAX = 3
_URGENCY = case(
    (SERVICES.c.state == "down", 0),
    (SERVICES.c.state == "no data", 1),
    (SERVICES.c.state == "unknown", 2),
    (SERVICES.c.state == "healthy", 3),
    else_=4,
)


def services(connection: Connection, *, retired: bool = False) -> list[Row]:
    """Give all services, the most urgent first; the retired ones only when asked for."""
    statement = select(SERVICES).order_by(_URGENCY, SERVICES.c.id)
    if not retired:
        statement = statement.where(SERVICES.c.state != "retired")
    return rows(connection, statement)


def services_of(connection: Connection, names: Iterable[str]) -> list[Row]:
    """Give the services of these ids, those there are."""
    return rows(connection, select(SERVICES).where(SERVICES.c.id.in_(list(names))))


def service_of(connection: Connection, name: str) -> Row | None:
    """Give one service, or None."""
    return first(connection, select(SERVICES).where(SERVICES.c.id == name))


def without_verdict(connection: Connection) -> list[str]:
    """Give the ids of watched services that nobody has judged yet."""
    statement = select(SERVICES.c.id).where(SERVICES.c.state == "unknown").order_by(SERVICES.c.id)
    return list(connection.execute(statement).scalars())


def names_near(connection: Connection, name: str) -> list[str]:
    """Give the ids that a wrong one may have meant."""
    names = list(connection.execute(select(SERVICES.c.id)).scalars())
    return get_close_matches(name[:100], names, NEAR_MAX, 0.5)
