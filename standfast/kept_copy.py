"""The second place: the digest of every commit that the projections took in, by sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, union

from projections.journal import HEADS, JOURNAL, JOURNAL_PROJECTION
from projections.lost import read_lost
from projections.positions import read_positions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from events.base import Position

ROWS_A_READ = 1_000


@dataclass(frozen=True, slots=True)
class KeptCommit:
    """One commit as it is remembered: whose it was, and its digest in hexadecimal."""

    sequence: int
    entity: str
    digest: str


class KeptCopy:
    """The copy, read once and in order beside the log; `last` is where it ends, 0 for none."""

    def __init__(self, connection: Connection | None, position: Position) -> None:
        """Read from a moment of the projections; a copy of another life of the log is no copy."""
        self._rows: Iterator[KeptCommit] = iter(())
        self.last = 0
        self.lost: tuple[KeptCommit, ...] = ()
        held = None if connection is None else read_positions(connection)
        mine = (held or {}).get(JOURNAL_PROJECTION.name)
        if connection is not None and mine is not None and mine.position.same_life(position):
            self._rows = _commits(connection)
            self.last = mine.position.sequence
            self.lost = tuple(KeptCommit(**row) for row in read_lost(connection))
        self._ahead = next(self._rows, None)

    def at(self, sequence: int) -> KeptCommit | None:
        """Give the commit at a sequence, or None. Sequences must be asked for as they rise."""
        while self._ahead is not None and self._ahead.sequence < sequence:
            self._ahead = next(self._rows, None)
        if self._ahead is not None and self._ahead.sequence == sequence:
            return self._ahead
        return None


def _commits(connection: Connection) -> Iterator[KeptCommit]:
    """Give all commits that are remembered: by their events, or as the end of a chain."""
    by_events = select(JOURNAL.c.sequence, JOURNAL.c.entity, JOURNAL.c.digest)
    by_chains = select(HEADS.c.sequence, HEADS.c.entity, HEADS.c.digest)
    statement = union(by_events, by_chains).order_by("sequence")
    rows = connection.execution_options(yield_per=ROWS_A_READ).execute(statement)
    for row in rows:
        yield KeptCommit(row.sequence, row.entity, row.digest)
