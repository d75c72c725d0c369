"""Commits that were taken in here and that the log has lost since: evidence, kept for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, String, Table, select, union

from events.commit import digest_of
from projections.base import METADATA
from projections.journal import HEADS, JOURNAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine

    from events.log import Log
    from projections.base import Row

LOST_MAX = 10_000

LOST = Table(
    "lost_commits",
    METADATA,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String, primary_key=True),
    Column("entity", String, nullable=False),
)


def newest_commits(engine: Engine) -> Sequence[Row]:
    """Give the newest commits that were taken in, newest first: sequence, entity, digest."""
    by_events = select(JOURNAL.c.sequence, JOURNAL.c.entity, JOURNAL.c.digest)
    by_chains = select(HEADS.c.sequence, HEADS.c.entity, HEADS.c.digest)
    both = union(by_events, by_chains).subquery()
    statement = select(both).order_by(both.c.sequence.desc()).limit(LOST_MAX)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


async def not_held(log: Log, rows: Sequence[Row]) -> list[Row]:
    """Give those of some commits that the log does not hold as they were."""
    return [row for row in rows if not await _is_held(log, row)]


async def lost_since(log: Log, newest: Sequence[Row]) -> list[Row]:
    """Give those of the newest commits that the log does not hold any more, as they were."""
    lost: list[Row] = []
    for row in newest:
        if await _is_held(log, row):
            break
        lost.append(row)
    return lost


async def _is_held(log: Log, row: Row) -> bool:
    message = await log.message(row["sequence"])
    return message is not None and digest_of(message.data or b"").hex() == row["digest"]


def keep_lost(engine: Engine, lost: Sequence[Row]) -> None:
    """Write down what was lost, before the rows are built anew without it."""
    with engine.begin() as connection:
        known = {(row["sequence"], row["digest"]) for row in read_lost(connection)}
        fresh = [row for row in lost if (row["sequence"], row["digest"]) not in known]
        if fresh:
            connection.execute(LOST.insert(), fresh)


def read_lost(connection: Connection) -> Sequence[Row]:
    """Give all that was ever lost, by sequence."""
    rows = connection.execute(select(LOST).order_by(LOST.c.sequence)).mappings()
    return [dict(row) for row in rows]
