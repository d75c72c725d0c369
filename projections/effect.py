"""Effects: every wish to touch the world and how it ended, whoever wished it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, Column, Float, Integer, String, Table, Text

from events.effect import (
    EffectCancelled,
    EffectCancelRequested,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectProgressed,
    EffectSucceeded,
)
from projections.base import METADATA, Projection, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.base import Envelope, Event
    from projections.base import Change, Row, Rows

EFFECTS = Table(
    "effects",
    METADATA,
    Column("entity", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("effect", String, nullable=False, index=True),
    Column("executor", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("intended", String, nullable=False),
    Column("deadline", String, nullable=False),
    Column("ended", String),
    Column("took_seconds", Float),
    Column("intended_id", String, nullable=False),
    Column("ended_id", String),
    Column("sequence", BigInteger, nullable=False, index=True),
)
STATES = ("intended", "cancelling", "succeeded", "failed", "cancelled", "unknown")


def project(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    """Give the row of an effect after an event about it."""
    event = envelope.event
    if isinstance(event, EffectIntended):
        yield EFFECTS, _intended(envelope, event)
        return
    changes = _changes(event)
    if changes is None:
        return
    before = rows.get(EFFECTS, str(envelope.entity), changes.pop("number"))
    assert before is not None, "an effect ends that was never intended"
    yield EFFECTS, {**before, **changes, **_end(envelope, changes["state"])}


def _intended(envelope: Envelope, event: EffectIntended) -> Row:
    intent = event.intent
    return {
        "entity": str(envelope.entity),
        "number": intent.number,
        "effect": intent.effect,
        "executor": intent.executor,
        "attempt": intent.attempt,
        "state": "intended",
        "detail": "",
        "arguments": dict(intent.arguments),
        "intended": moment_text(envelope.origin.time),
        "deadline": moment_text(intent.deadline),
        "ended": None,
        "took_seconds": None,
        "intended_id": envelope.id,
        "ended_id": None,
        "sequence": envelope.position.sequence,
    }


def _changes(event: Event) -> dict[str, Any] | None:
    match event:
        case EffectProgressed(number=number, step=step):
            return {"number": number, "state": "intended", "detail": step}
        case EffectCancelRequested(number=number, reason=reason):
            return {"number": number, "state": "cancelling", "detail": reason}
        case EffectSucceeded(number=number, detail=detail, took_seconds=took):
            return _ended(number, "succeeded", detail, took)
        case EffectFailed(number=number, reason=reason, took_seconds=took):
            return _ended(number, "failed", reason, took)
        case EffectCancelled() | EffectOutcomeUnknown():
            state = "cancelled" if isinstance(event, EffectCancelled) else "unknown"
            return _ended(event.number, state, event.reason, None)
        case _:
            return None


def _ended(number: int, state: str, detail: str, took: float | None) -> dict[str, Any]:
    return {"number": number, "state": state, "detail": detail, "took_seconds": took}


def _end(envelope: Envelope, state: str) -> dict[str, Any]:
    place = {"sequence": envelope.position.sequence}
    if state in {"intended", "cancelling"}:
        return place
    return {**place, "ended": moment_text(envelope.origin.time), "ended_id": envelope.id}


EFFECT = Projection(name="effect", version=1, tables=(EFFECTS,), project=project)
