"""The second place: the digest of every commit that the projections took in, by sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, union

from projections.journal import HEADS, JOURNAL, JOURNAL_PROJECTION
from projections.lost import LOST, read_lost
from projections.positions import read_positions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from events.identity import LogIdentity

ROWS_A_READ = 1_000


@dataclass(frozen=True, slots=True)
class KeptCommit:
    """One commit as it is remembered: whose it was, and its digest in hexadecimal."""

    sequence: int
    entity: str
    digest: str


class KeptCopy:
    """The copy, read once and in order beside the log; `last` is where it ends, 0 for none."""

    def __init__(self, connection: Connection | None, log: LogIdentity) -> None:
        """Read from a moment of the projections.

        Of an earlier life of the log it is a copy as far as that is part of the present one.
        """
        self._rows: Iterator[KeptCommit] = iter(())
        self.last = 0
        self.lost: tuple[KeptCommit, ...] = ()
        held = None if connection is None else read_positions(connection)
        mine = (held or {}).get(JOURNAL_PROJECTION.name)
        if connection is not None and mine is not None and mine.position.log_id == log.log_id:
            position = mine.position
            place = log.place_of(position)
            shared = dict(log.shared).get(position.generation, 0)
            self.last = shared if place is None else place
            self._rows = _commits(connection, self.last)
            self.lost = tuple(KeptCommit(**row) for row in read_lost(connection))
        self._ahead = next(self._rows, None)

    def at(self, sequence: int) -> KeptCommit | None:
        """Give the commit at a sequence, or None. Sequences must be asked for as they rise."""
        while self._ahead is not None and self._ahead.sequence < sequence:
            self._ahead = next(self._rows, None)
        if self._ahead is not None and self._ahead.sequence == sequence:
            return self._ahead
        return None


def _commits(connection: Connection, last: int) -> Iterator[KeptCommit]:
    """Give the commits that are remembered up to one: by their events, or as a chain's end.

    What the log lost is among them, unless another took its place.
    """
    by_events = select(JOURNAL.c.sequence, JOURNAL.c.entity, JOURNAL.c.digest)
    by_chains = select(HEADS.c.sequence, HEADS.c.entity, HEADS.c.digest)
    known = union(select(JOURNAL.c.sequence), select(HEADS.c.sequence))
    lost = select(LOST.c.sequence, LOST.c.entity, LOST.c.digest)
    alone = lost.where(LOST.c.sequence.not_in(known))
    statement = union(by_events, by_chains, alone).order_by("sequence")
    rows = connection.execution_options(yield_per=ROWS_A_READ).execute(statement)
    for row in rows:
        if row.sequence > last:
            return
        yield KeptCommit(row.sequence, row.entity, row.digest)
