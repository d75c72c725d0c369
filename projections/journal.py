"""The journal: every event as one row, and the end of every entity's chain of commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from projections.base import METADATA, Projection, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.base import Envelope
    from projections.base import Change, ReadCommit, Row, Rows

JOURNAL = Table(
    "journal",
    METADATA,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("id", String, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("entity", String, nullable=False),
    Column("type", String, nullable=False),
    Column("time", String, nullable=False, index=True),
    Column("decided", String, nullable=False),
    Column("principal", String, nullable=False),
    Column("on_behalf_of", String),
    Column("source", String, nullable=False),
    Column("correlation_id", String, nullable=False, index=True),
    Column("causation_id", String, index=True),
    Column("command_id", String, nullable=False),
    Column("traceparent", String),
    Column("platform", String, nullable=False),
    Column("cell", String, nullable=False),
    Column("build", String, nullable=False),
    Column("log_id", String, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("digest", String, nullable=False),
    Column("data", Text, nullable=False),
)
Index("journal_by_entity", JOURNAL.c.entity, JOURNAL.c.sequence)
Index("journal_by_kind", JOURNAL.c.kind, JOURNAL.c.sequence)

HEADS = Table(
    "chain_heads",
    METADATA,
    Column("entity", String, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("digest", String, nullable=False),
)


def project(rows: Rows, commit: ReadCommit) -> Iterator[Change]:
    """Give the rows of a commit's events, and the new end of its entity's chain."""
    del rows
    digest = commit.digest.hex()
    yield (
        HEADS,
        {"entity": commit.entity, "sequence": commit.position.sequence, "digest": digest},
    )
    for envelope in commit.envelopes:
        yield JOURNAL, journal_row(envelope, digest)


def journal_row(envelope: Envelope, digest: str = "") -> Row:
    """Give the row of one event; `digest` is its commit's, in hexadecimal."""
    origin, position = envelope.origin, envelope.position
    return {
        "sequence": position.sequence,
        "index": envelope.index,
        "id": envelope.id,
        "kind": envelope.entity.kind,
        "entity": str(envelope.entity),
        "type": envelope.event.type,
        "time": moment_text(origin.time),
        "decided": moment_text(envelope.decided),
        "principal": origin.principal,
        "on_behalf_of": origin.on_behalf_of,
        "source": origin.source,
        "correlation_id": origin.correlation_id,
        "causation_id": origin.causation_id,
        "command_id": origin.command_id,
        "traceparent": origin.traceparent,
        "platform": envelope.platform,
        "cell": envelope.cell,
        "build": envelope.build,
        "log_id": position.log_id,
        "generation": position.generation,
        "digest": digest,
        "data": envelope.event.model_dump_json(),
    }


JOURNAL_PROJECTION = Projection(
    name="journal", version=1, tables=(JOURNAL, HEADS), project_commit=project
)
