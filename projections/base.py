"""A projection is a pure function from the rows there are and one event to the rows that follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import MetaData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from sqlalchemy import Table

    from events.base import Envelope, Position

MOMENTS_REMEMBERED = 4_096
"""One event's few moments go into many rows."""

METADATA = MetaData()
"""All tables of all projections."""

Row = dict[str, Any]
"""One whole row, a value for every column. It is never changed, only replaced."""

Change = tuple["Table", Row]
"""The row to be written, in place of the one with the same primary key."""


class Rows(Protocol):
    """The rows as they are just before an event."""

    def get(self, table: Table, *key: object) -> Row | None:
        """Give the row with a primary key, or None."""
        ...

    def under(self, table: Table, *key: object) -> list[Row]:
        """Give the rows whose primary key begins with these values, in the key's order."""
        ...


@dataclass(frozen=True, slots=True)
class Fault:
    """The event of a commit that cannot be read, and why."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class ReadCommit:
    """One commit as projections see it. Where it has a fault it has no envelopes."""

    entity: str
    position: Position
    digest: bytes
    envelopes: tuple[Envelope, ...]
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Projection:
    """A read model: its name, its tables, and how an event or a commit changes them.

    `version` rises whenever the same events would give other rows: then it is built anew.
    `kinds` are the kinds of entities whose events it reads, None for all.
    """

    name: str
    version: int
    tables: tuple[Table, ...]
    kinds: frozenset[str] | None = None
    project: Callable[[Rows, Envelope], Iterable[Change]] | None = None
    project_commit: Callable[[Rows, ReadCommit], Iterable[Change]] | None = None

    def reads(self, entity: str) -> bool:
        """Say whether events of an entity (`kind/id`) concern this projection."""
        return self.kinds is None or entity.partition("/")[0] in self.kinds


@lru_cache(MOMENTS_REMEMBERED)
def moment_text(moment: datetime) -> str:
    """Give a moment as it is stored: UTC, to the microsecond, sortable as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"
