"""The rows of some projections and their positions, written together or not at all."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, StatementError

from projections.given_up import GIVEN_UP, LIVES
from projections.lost import LOST
from projections.positions import ERRORS, POSITIONS, error_row, position_row, read_positions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Engine, Select, Table
    from sqlalchemy.sql.dml import Insert

    from events.base import Position
    from projections.base import Change, Projection, ReadCommit, Row
    from projections.positions import Held

CACHED_ROWS_MAX = 50_000
BOOKKEEPING = (POSITIONS, ERRORS)


class Store:
    """Projections in one database, for its one writer."""

    def __init__(self, engine: Engine, projections: Sequence[Projection]) -> None:
        """Write these projections to a database (see `database.open_writer`)."""
        self.engine = engine
        self.projections = tuple(projections)
        self._cache = RowCache()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables of the projections, without the bookkeeping."""
        return tuple(table for projection in self.projections for table in projection.tables)

    def create(self) -> None:
        """Create the tables that are missing."""
        tables = [*BOOKKEEPING, LOST, GIVEN_UP, LIVES, *self.tables]
        with self.engine.begin() as connection:
            MetaData.create_all(tables[0].metadata, connection, tables=tables)

    def positions(self) -> dict[str, Held]:
        """Give what every projection holds."""
        with self.engine.connect() as connection:
            return read_positions(connection)

    def touch(self) -> None:
        """Write one position as it is."""
        mine = POSITIONS.c.projection == self.projections[0].name
        with self.engine.begin() as connection:
            connection.execute(update(POSITIONS).where(mine).values(version=POSITIONS.c.version))

    def forget(self) -> None:
        """Drop what is cached of the rows, after somebody else changed them."""
        self._cache.clear()

    def apply(self, commits: Sequence[ReadCommit], through: Position) -> None:
        """Bring all projections from where they are to a position, in one transaction."""
        try:
            self._apply(commits, through, one_by_one=False)
        except StatementError as error:
            self.forget()
            if not is_fault_of_data(error):
                raise
            self._apply(commits, through, one_by_one=True)
        except BaseException:
            self.forget()
            raise

    def _apply(self, commits: Sequence[ReadCommit], through: Position, *, one_by_one: bool) -> None:
        with self.engine.begin() as connection:
            held = read_positions(connection)
            for projection in self.projections:
                mine = held.get(projection.name)
                after = 0 if mine is None else mine.position.sequence
                if mine is not None and after >= through.sequence:
                    continue
                work = _Work(connection, self._cache, projection, one_by_one=one_by_one)
                work.take([commit for commit in commits if commit.position.sequence > after])
                work.finish(through)


class RowCache:
    """The rows that were last read or written. Only one writer makes this right."""

    def __init__(self, rows_max: int = CACHED_ROWS_MAX) -> None:
        """Keep so many rows at most."""
        self._rows: OrderedDict[tuple[str, tuple[object, ...]], Row | None] = OrderedDict()
        self._rows_max = rows_max

    def clear(self) -> None:
        """Keep none."""
        self._rows.clear()

    def look(self, connection: Connection, table: Table, key: tuple[object, ...]) -> Row | None:
        """Give a row, read if need be."""
        place = (table.name, key)
        if place in self._rows:
            self._rows.move_to_end(place)
            return self._rows[place]
        row = _read_row(connection, table, key)
        self.keep(table, key, row)
        return row

    def keep(self, table: Table, key: tuple[object, ...], row: Row | None) -> None:
        """Remember a row, or that there is none."""
        self._rows[(table.name, key)] = row
        while len(self._rows) > self._rows_max:
            self._rows.popitem(last=False)


class _Work:
    """One projection's part of one transaction."""

    def __init__(
        self, connection: Connection, cache: RowCache, projection: Projection, *, one_by_one: bool
    ) -> None:
        self._connection = connection
        self._cache = cache
        self._projection = projection
        self._one_by_one = one_by_one
        self._dirty: dict[Table, dict[tuple[object, ...], Row]] = {}

    def get(self, table: Table, *key: object) -> Row | None:
        """Give a row as the events so far left it."""
        if key in self._dirty.get(table, {}):
            return self._dirty[table][key]
        return self._cache.look(self._connection, table, key)

    def under(self, table: Table, *key: object) -> list[Row]:
        """Give the rows below a part of a key as the events so far left them."""
        found = {key_of(table, row): row for row in _read_under(self._connection, table, key)}
        dirty = self._dirty.get(table, {})
        found.update({place: row for place, row in dirty.items() if place[: len(key)] == key})
        return [found[place] for place in sorted(found, key=repr)]

    def take(self, commits: Iterable[ReadCommit]) -> None:
        """Fold commits into rows; what cannot be folded is recorded and left out."""
        for commit in commits:
            if commit.fault is not None:
                self._quarantine(commit, commit.fault.index, commit.fault.text)
            if not self._projection.reads(commit.entity):
                continue
            if self._projection.project_commit is not None:
                self._guard(commit, 0, self._projection.project_commit, commit)
            if self._projection.project is not None:
                for envelope in commit.envelopes:
                    self._guard(commit, envelope.index, self._projection.project, envelope)

    def finish(self, position: Position) -> None:
        """Write the rows and the position."""
        self._put([(POSITIONS, position_row(self._projection, position))])
        self._flush()

    def _guard(self, commit: ReadCommit, index: int, project: Any, subject: object) -> None:  # noqa: ANN401
        """Take in one event, whole or not at all."""
        try:
            changes = list(project(self, subject))
        except Exception as error:  # noqa: BLE001  (one event never stops the others)
            self._quarantine(commit, index, f"{type(error).__name__}: {error}")
            return
        if self._one_by_one:
            self._try(commit, index, changes)
        else:
            self._put(changes)

    def _try(self, commit: ReadCommit, index: int, changes: list[Change]) -> None:
        """Write one event's rows at once, so that a database's refusal hits no other event."""
        self._flush()
        try:
            with self._connection.begin_nested():
                for table, row in changes:
                    self._connection.execute(upsert(self._connection, table), row)
        except StatementError as error:
            if not is_fault_of_data(error):
                raise
            self._quarantine(commit, index, f"{type(error).__name__}: {error.__cause__ or error}")
            return
        for table, row in changes:
            self._cache.keep(table, key_of(table, row), row)

    def _quarantine(self, commit: ReadCommit, index: int, text: str) -> None:
        row = error_row(self._projection, commit.position.sequence, index, commit.entity, text)
        self._put([(ERRORS, row)])

    def _put(self, changes: Iterable[Change]) -> None:
        for table, row in changes:
            self._dirty.setdefault(table, {})[key_of(table, row)] = row

    def _flush(self) -> None:
        for table, rows in self._dirty.items():
            self._connection.execute(upsert(self._connection, table), list(rows.values()))
            for key, row in rows.items():
                self._cache.keep(table, key, row)
        self._dirty = {}


def is_fault_of_data(error: StatementError) -> bool:
    """Say whether a row was refused for what it holds, not because the database is unwell."""
    original = error.orig
    if isinstance(error, DataError | IntegrityError):
        return True
    return isinstance(original, OverflowError | TypeError | ValueError)


@cache
def key_names(table: Table) -> tuple[str, ...]:
    """Give the names of a table's primary key."""
    return tuple(column.name for column in table.primary_key)


def key_of(table: Table, row: Row) -> tuple[object, ...]:
    """Give a row's primary key."""
    return tuple([row[name] for name in key_names(table)])


def _read_row(connection: Connection, table: Table, key: tuple[object, ...]) -> Row | None:
    return next(iter(_read_under(connection, table, key)), None)


def _read_under(connection: Connection, table: Table, key: tuple[object, ...]) -> list[Row]:
    values = dict(zip(key_names(table), key, strict=False))
    return [dict(row) for row in connection.execute(_reading(table, len(key)), values).mappings()]


@cache
def _reading(table: Table, length: int) -> Select[Any]:
    """Give the question for the rows below the first so many values of a key."""
    names = key_names(table)[:length]
    return select(table).where(*[table.c[name] == bindparam(name) for name in names])


def upsert(connection: Connection, table: Table) -> Insert:
    """Give the statement that writes whole rows over those with the same primary key."""
    return _upsert(connection.dialect.name, table)


@cache
def _upsert(dialect_name: str, table: Table) -> Insert:
    dialect = postgresql if dialect_name == "postgresql" else sqlite
    statement: Any = dialect.insert(table)
    keys = key_names(table)
    rest = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    full: Insert = statement.on_conflict_do_update(index_elements=keys, set_=rest)
    return full
