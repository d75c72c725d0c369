"""Rows of a database, read as any reader would."""

from __future__ import annotations

from typing import Any

from projections.database import open_reader


def rows(url: str, statement: Any) -> list[Any]:
    """Give the rows of a question."""
    engine = open_reader(url)
    with engine.connect() as connection:
        found = list(connection.execute(statement).all())
    engine.dispose()
    return found
