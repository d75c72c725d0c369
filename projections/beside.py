"""Projections are built anew beside the live ones, then swapped into their place at once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import MetaData, delete, insert, select, text

from projections.database import open_writer, sqlite_path, sqlite_url
from projections.store import BOOKKEEPING, Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine, Insert, Table

    from projections.base import Projection

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


def _copy(table: Table) -> Insert:
    """Give the statement that copies all rows of the table of the same name beside."""
    source = table.to_metadata(MetaData(), schema=SCHEMA)
    return insert(table).from_select([column.name for column in table.columns], select(source))


def _replace_bookkeeping(connection: Connection, table: Table, beside: Store) -> None:
    names = [projection.name for projection in beside.projections]
    connection.execute(delete(table).where(table.c.projection.in_(names)))
    connection.execute(_copy(table))
