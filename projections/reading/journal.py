"""Questions about events: by filter, by id, by cause and by entity."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from projections.journal import JOURNAL
from projections.reading.database import first, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Select

    from projections.base import Row

EVENTS_MAX = 1_000
KEYS_A_QUESTION = 500


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: of a kind, an id, between two stored moments, after a sequence."""

    kind: str = ""
    id: str = ""
    type: str = ""
    since: str = ""
    until: str = ""
    after: int | None = None
    limit: int = 100

    @property
    def forward(self) -> bool:
        """Say whether to read on from a place; else the newest are wanted."""
        return self.after is not None or bool(self.since)


def events(connection: Connection, wanted: EventFilter) -> list[Row]:
    """Give the rows of events in the log's order: the first that match, or the newest."""
    statement = _matching(wanted).limit(min(wanted.limit, EVENTS_MAX))
    if wanted.forward:
        return rows(connection, statement.order_by(JOURNAL.c.sequence, JOURNAL.c.index))
    newest = statement.order_by(JOURNAL.c.sequence.desc(), JOURNAL.c.index.desc())
    return rows(connection, newest)[::-1]


def _matching(wanted: EventFilter) -> Select[Any]:
    conditions = []
    if wanted.kind and wanted.id:
        conditions.append(JOURNAL.c.entity == f"{wanted.kind}/{wanted.id}")
    elif wanted.kind:
        conditions.append(JOURNAL.c.kind == wanted.kind)
    elif wanted.id:
        conditions.append(JOURNAL.c.entity.endswith("/" + wanted.id, autoescape=True))
    if wanted.type:
        conditions.append(JOURNAL.c.type == wanted.type)
    if wanted.since:
        conditions.append(JOURNAL.c.time >= wanted.since)
    if wanted.until:
        conditions.append(JOURNAL.c.time < wanted.until)
    if wanted.after is not None:
        conditions.append(JOURNAL.c.sequence > wanted.after)
    return select(JOURNAL).where(*conditions)


def cloudevent(row: Row) -> dict[str, Any]:
    """Give a journal row in CloudEvents 1.0 JSON form, as `Envelope.as_cloudevent` does."""
    optional = {
        "correlationid": row["correlation_id"],
        "causationid": row["causation_id"],
        "traceparent": row["traceparent"],
        "onbehalfof": row["on_behalf_of"],
    }
    return {
        "specversion": "1.0",
        "id": row["id"],
        "source": row["source"],
        "type": row["type"],
        "subject": row["entity"],
        "time": row["time"],
        **{name: value for name, value in optional.items() if value is not None},
        "sequence": row["sequence"],
        "generation": row["generation"],
        "logid": row["log_id"],
        "decided": row["decided"],
        "principal": row["principal"],
        "commandid": row["command_id"],
        "platform": row["platform"],
        "cell": row["cell"],
        "build": row["build"],
        "datacontenttype": "application/json",
        "data": json.loads(row["data"]),
    }


class SqlJournal:
    """The journal as the causal chain asks it, each question bounded."""

    def __init__(self, connection: Connection) -> None:
        """Ask within one moment of a database."""
        self._connection = connection

    def by_ids(self, ids: Iterable[str]) -> list[Row]:
        """Give the events of these ids."""
        return self._in(JOURNAL.c.id, list(ids))

    def caused_by(self, ids: Iterable[str]) -> list[Row]:
        """Give the events that one of these caused."""
        return self._in(JOURNAL.c.causation_id, list(ids))

    def of_entity(self, entity: str, first_sequence: int = 0, limit: int = 1_000) -> list[Row]:
        """Give an entity's events from a sequence on, oldest first."""
        statement = select(JOURNAL).where(
            JOURNAL.c.entity == entity, JOURNAL.c.sequence >= first_sequence
        )
        order = (JOURNAL.c.sequence, JOURNAL.c.index)
        return rows(self._connection, statement.order_by(*order).limit(limit))

    def last_of(self, entity: str, types: Sequence[str], through: int) -> Row | None:
        """Give an entity's newest event of some types (all when empty), up to a sequence."""
        statement = select(JOURNAL).where(JOURNAL.c.entity == entity, JOURNAL.c.sequence <= through)
        if types:
            statement = statement.where(JOURNAL.c.type.in_(types))
        order = (JOURNAL.c.sequence.desc(), JOURNAL.c.index.desc())
        return first(self._connection, statement.order_by(*order))

    def _in(self, column: Any, keys: list[str]) -> list[Row]:  # noqa: ANN401  (a column)
        found: list[Row] = []
        for start in range(0, len(keys), KEYS_A_QUESTION):
            part = keys[start : start + KEYS_A_QUESTION]
            statement = select(JOURNAL).where(column.in_(part)).limit(KEYS_A_QUESTION * 4)
            found += rows(self._connection, statement.order_by(JOURNAL.c.sequence))
        return found
