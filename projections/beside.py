"""Projections are built anew beside the live ones, then swapped into their place at once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import MetaData, delete, except_, insert, select, text, union

from projections.database import open_writer, sqlite_path, sqlite_url
from projections.journal import HEADS, JOURNAL
from projections.lost import LOST_MAX
from projections.store import BOOKKEEPING, Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine, Insert, Select, Table

    from projections.base import Projection, Row

SCHEMA = "rebuild"
_SUFFIXES = ("", "-wal", "-shm", "-journal")


def beside_path(live: Path) -> Path:
    """Give the file that is built beside a live SQLite file."""
    return live.with_name(live.name + ".rebuild")


def clear_beside(url: str, engine: Engine) -> None:
    """Remove what an interrupted rebuild left."""
    path = sqlite_path(url)
    if path is not None:
        for suffix in _SUFFIXES:
            beside = beside_path(path)
            beside.with_name(beside.name + suffix).unlink(missing_ok=True)
        return
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))


@contextmanager
def open_beside(url: str, projections: Sequence[Projection]) -> Iterator[Store]:
    """Give an empty store beside the live one, gone again afterwards."""
    path = sqlite_path(url)
    if path is not None:
        engine = open_writer(sqlite_url(beside_path(path)))
    else:
        base = open_writer(url)
        with base.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        engine = base.execution_options(schema_translate_map={None: SCHEMA})
    store = Store(engine, projections)
    try:
        store.create()
        yield store
    finally:
        engine.dispose()
        clear_beside(url, engine)
        engine.dispose()


def swap(url: str, live: Store, beside: Store) -> None:
    """Put the rows and positions built beside in place of the live ones, in one transaction."""
    path = sqlite_path(url)
    attached = {} if path is None else {SCHEMA: beside_path(path)}
    engine = open_writer(url, attached)
    try:
        with engine.begin() as connection:
            for table in beside.tables:
                table.drop(connection, checkfirst=True)
                table.create(connection)
                connection.execute(_copy(table))
            for table in BOOKKEEPING:
                _replace_bookkeeping(connection, table, beside)
    finally:
        engine.dispose()
        live.forget()


def unlike_beside(url: str, last: int) -> Sequence[Row]:
    """Give commits up to a sequence that the live rows know, and those built beside do not.

    The newest come first, and at most `LOST_MAX`: sequence, entity, digest.
    """
    path = sqlite_path(url)
    engine = open_writer(url, {} if path is None else {SCHEMA: beside_path(path)})
    unlike = except_(
        _commits((JOURNAL, HEADS), last), _commits(_beside(JOURNAL, HEADS), last)
    ).subquery()
    statement = select(unlike).order_by(unlike.c.sequence.desc()).limit(LOST_MAX)
    try:
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]
    finally:
        engine.dispose()


def _commits(tables: Iterable[Table], last: int) -> Select[tuple[int, str, str]]:
    """Give the question for the commits of a journal, by their events and as a chain's end."""
    parts = [
        select(table.c.sequence, table.c.entity, table.c.digest).where(table.c.sequence <= last)
        for table in tables
    ]
    both = union(*parts).subquery()
    return select(both.c.sequence, both.c.entity, both.c.digest)


def _beside(*tables: Table) -> list[Table]:
    return [table.to_metadata(MetaData(), schema=SCHEMA) for table in tables]


def _copy(table: Table) -> Insert:
    """Give the statement that copies all rows of the table of the same name beside."""
    (source,) = _beside(table)
    return insert(table).from_select([column.name for column in table.columns], select(source))


def _replace_bookkeeping(connection: Connection, table: Table, beside: Store) -> None:
    names = [projection.name for projection in beside.projections]
    connection.execute(delete(table).where(table.c.projection.in_(names)))
    connection.execute(_copy(table))
