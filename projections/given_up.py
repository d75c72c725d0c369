"""Commits that a restore gave up: taken in here once, in a life of the log that is no more.

They are no damage, and no error: whoever restored the log was told what would be given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    String,
    Table,
    delete,
    func,
    inspect,
    select,
    union,
)

from projections.base import METADATA
from projections.journal import HEADS, JOURNAL
from projections.lost import LOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine, Select

    from events.identity import LogIdentity
    from projections.base import Row
    from projections.positions import Held

GIVEN_UP_MAX = 100_000

GIVEN_UP = Table(
    "given_up_commits",
    METADATA,
    Column("log_id", String, primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("entity", String, nullable=False),
    Column("digest", String, nullable=False),
)


LIVES = Table(
    "log_lives",
    METADATA,
    Column("log_id", String, primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
)


def enter_life(engine: Engine, log: LogIdentity, held: Held | None) -> None:
    """See a life of the log for the first time: write down what its beginning gave up.

    That is what the rows hold beyond what it shares with theirs, and what was lost before: whoever
    restored the log did so knowing of both. `held` is where the journal is.
    """
    with engine.begin() as connection:
        life = {"log_id": log.log_id, "generation": log.generation}
        lives = connection.execute(select(LIVES).filter_by(**life)).all()
        if lives:
            return
        connection.execute(LIVES.insert(), life)
        if held is not None and held.position.log_id == log.log_id and log.generation > 1:
            _give_up(connection, log, held.position.generation)


def _give_up(connection: Connection, log: LogIdentity, generation: int) -> None:
    shared = dict(log.shared).get(generation)
    if shared is None:
        return
    beyond = connection.execute(_beyond(shared)).mappings().all()
    lost = connection.execute(select(LOST)).mappings().all()
    known = connection.execute(select(GIVEN_UP).filter_by(generation=generation)).mappings()
    have = {row["sequence"] for row in known}
    fresh = {row["sequence"]: dict(row) for row in (*lost, *beyond) if row["sequence"] not in have}
    named = {"log_id": log.log_id, "generation": generation}
    if fresh:
        connection.execute(GIVEN_UP.insert(), [{**named, **row} for row in fresh.values()])
    connection.execute(delete(LOST))


def _beyond(after: int) -> Select[tuple[int, str, str]]:
    """Give the question for the commits after a sequence, by their events or as a chain's end."""
    by_events = select(JOURNAL.c.sequence, JOURNAL.c.entity, JOURNAL.c.digest)
    by_chains = select(HEADS.c.sequence, HEADS.c.entity, HEADS.c.digest)
    both = union(by_events, by_chains).subquery()
    statement = select(both.c.sequence, both.c.entity, both.c.digest)
    return statement.where(both.c.sequence > after).order_by(both.c.sequence).limit(GIVEN_UP_MAX)


def given_up_counts(connection: Connection) -> Sequence[Row]:
    """Give how many commits were given up of each generation, and from which to which."""
    if not inspect(connection).has_table(GIVEN_UP.name):
        return []  # no projector of this build has written here yet
    sequence = GIVEN_UP.c.sequence
    statement = (
        select(
            GIVEN_UP.c.generation,
            func.count().label("commits"),
            func.min(sequence).label("first"),
            func.max(sequence).label("last"),
        )
        .group_by(GIVEN_UP.c.generation)
        .order_by(GIVEN_UP.c.generation)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]
