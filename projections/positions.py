"""Where each projection is, and the events that one of them could not take in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text, select

from events.base import Position
from projections.base import METADATA

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from projections.base import Projection, Row

ERROR_CHARACTERS_MAX = 2_000

POSITIONS = Table(
    "projection_positions",
    METADATA,
    Column("projection", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("log_id", String, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

ERRORS = Table(
    "projection_errors",
    METADATA,
    Column("projection", String, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("entity", String, nullable=False),
    Column("error", Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Held:
    """What a projection holds: all events up to a position, as its version made them."""

    version: int
    position: Position


def read_positions(connection: Connection) -> dict[str, Held]:
    """Give what every projection of a database holds."""
    rows = connection.execute(select(POSITIONS)).mappings()
    return {
        row["projection"]: Held(
            row["version"], Position(row["log_id"], row["generation"], row["sequence"])
        )
        for row in rows
    }


def position_row(projection: Projection, position: Position) -> Row:
    """Give the row that says where a projection is."""
    return {
        "projection": projection.name,
        "version": projection.version,
        "log_id": position.log_id,
        "generation": position.generation,
        "sequence": position.sequence,
    }


def error_row(projection: Projection, sequence: int, index: int, entity: str, error: str) -> Row:
    """Give the row that says what a projection left out, and why."""
    return {
        "projection": projection.name,
        "sequence": sequence,
        "index": index,
        "entity": entity,
        "error": error.replace("\0", "\\0")[:ERROR_CHARACTERS_MAX],
    }
