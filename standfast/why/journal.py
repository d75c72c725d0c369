"""The questions that a chain is found by, and a journal in memory that answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from projections.base import Row


class NothingKnownError(LookupError):
    """There is no such event or entity in the log."""


class Journal(Protocol):
    """The questions that the chain is found by. Rows are those of `projections.journal`."""

    def by_ids(self, ids: Iterable[str]) -> list[Row]:
        """Give the events of these ids."""
        ...

    def caused_by(self, ids: Iterable[str]) -> list[Row]:
        """Give the events that one of these caused."""
        ...

    def of_entity(self, entity: str, first_sequence: int = 0, limit: int = 1_000) -> list[Row]:
        """Give an entity's events from a sequence on, oldest first."""
        ...

    def last_of(self, entity: str, types: Sequence[str], through: int) -> Row | None:
        """Give an entity's newest event of some types (all when empty), up to a sequence."""
        ...


class MemoryJournal:
    """A journal of rows in memory, as read from the log itself."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Hold rows in any order."""
        self._rows = sorted(rows, key=place)

    def by_ids(self, ids: Iterable[str]) -> list[Row]:
        """Give the events of these ids."""
        wanted = set(ids)
        return [row for row in self._rows if row["id"] in wanted]

    def caused_by(self, ids: Iterable[str]) -> list[Row]:
        """Give the events that one of these caused."""
        wanted = set(ids)
        return [row for row in self._rows if row["causation_id"] in wanted]

    def of_entity(self, entity: str, first_sequence: int = 0, limit: int = 1_000) -> list[Row]:
        """Give an entity's events from a sequence on, oldest first."""
        found = [r for r in self._rows if r["entity"] == entity and r["sequence"] >= first_sequence]
        return found[:limit]

    def last_of(self, entity: str, types: Sequence[str], through: int) -> Row | None:
        """Give an entity's newest event of some types (all when empty), up to a sequence."""
        for row in reversed(self._rows):
            fits = row["sequence"] <= through and (not types or row["type"] in types)
            if row["entity"] == entity and fits:
                return row
        return None


def place(row: Row) -> tuple[int, int]:
    """Give where in the log an event is."""
    return row["sequence"], row["index"]
