"""One transaction a question: its answer never mixes two moments."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import OperationalError, ProgrammingError

from projections.database import open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Select

    from projections.base import Row


class NotReadyError(Exception):
    """The projections cannot be read just now: not built yet, or being built anew."""


class Reading:
    """The projections of one database, for any number of readers."""

    def __init__(self, url: str) -> None:
        """Read from the database of a URL, which need not exist yet."""
        self._engine = open_reader(url)

    @contextmanager
    def moment(self) -> Iterator[Connection]:
        """Give a connection whose answers are all of one moment. Raises `NotReadyError`."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except (OperationalError, ProgrammingError) as error:
            raise NotReadyError(f"the projections cannot be read: {error.orig}") from error

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()


def rows(connection: Connection, statement: Select[Any]) -> list[Row]:
    """Give the rows of a question as dictionaries."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def first(connection: Connection, statement: Select[Any]) -> Row | None:
    """Give the first row of a question, or None."""
    return next(iter(rows(connection, statement.limit(1))), None)
