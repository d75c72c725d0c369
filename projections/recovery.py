"""Recoveries: the plan, how far it is, and whether it was proven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Integer, String, Table, Text

from events.recovery import (
    RecoveryApproved,
    RecoveryCancelled,
    RecoveryFailed,
    RecoveryPlanned,
    RecoveryRejected,
    RecoveryStepActed,
    RecoveryStepBegan,
    RecoveryStepFailed,
    RecoveryStepVerified,
    RecoverySucceeded,
)
from projections.base import METADATA, Projection, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.base import Envelope, Event
    from projections.base import Change, Row, Rows

RECOVERIES = Table(
    "recoveries",
    METADATA,
    Column("id", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("incident", String, nullable=False, index=True),
    Column("cause", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("by", String, nullable=False),
    Column("outcome_unknown", Boolean, nullable=False),
    Column("planned", String, nullable=False),
    Column("ended", String),
    Column("took_seconds", Float),
    Column("event_id", String, nullable=False),
    Column("sequence", BigInteger, nullable=False, index=True),
)
STATES = (
    "shown",
    "waiting for approval",
    "running",
    "succeeded",
    "failed",
    "rejected",
    "cancelled",
)

STEPS = Table(
    "recovery_steps",
    METADATA,
    Column("recovery", String, primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("service", String, nullable=False),
    Column("effect", String, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("began", String),
    Column("ended", String),
)
STEP_STATES = ("waiting", "acting", "proving", "proven", "failed")
_STATE_OF_MODE = {
    "shadow": "shadow",
    "approval": "waiting for approval",
    "automatic": "running",
}


def project(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    """Give the rows of a recovery and its steps after an event of it."""
    event = envelope.event
    if isinstance(event, RecoveryPlanned):
        yield from _planned(envelope, event)
        return
    changes = _changes(envelope)
    if changes:
        before = rows.get(RECOVERIES, envelope.entity.id)
        assert before is not None, "something happens to a recovery that was never planned"
        place = {"event_id": envelope.id, "sequence": envelope.position.sequence}
        yield RECOVERIES, {**before, **changes, **place}
    yield from _step(rows, envelope, event)


def _planned(envelope: Envelope, event: RecoveryPlanned) -> Iterator[Change]:
    yield (
        RECOVERIES,
        {
            "id": envelope.entity.id,
            "address": str(envelope.entity),
            "incident": event.incident.removeprefix("incident/"),
            "cause": event.cause.removeprefix("service/"),
            "mode": event.mode,
            "state": _STATE_OF_MODE[event.mode],
            "reason": "",
            "by": "",
            "outcome_unknown": False,
            "planned": moment_text(envelope.origin.time),
            "ended": moment_text(envelope.origin.time) if event.mode == "shadow" else None,
            "took_seconds": None,
            "event_id": envelope.id,
            "sequence": envelope.position.sequence,
        },
    )
    for number, step in enumerate(event.steps):
        yield (
            STEPS,
            {
                "recovery": envelope.entity.id,
                "step": number,
                "service": step.service.removeprefix("service/"),
                "effect": step.effect,
                "arguments": dict(step.arguments),
                "state": "waiting",
                "attempt": 0,
                "detail": "",
                "began": None,
                "ended": None,
            },
        )


def _changes(envelope: Envelope) -> dict[str, Any]:
    match envelope.event:
        case RecoveryApproved(by=by):
            return {"state": "running", "by": by}
        case RecoveryStepBegan():
            return {"state": "running"}
        case _:
            end = _end(envelope.event)
            return {**end, "ended": moment_text(envelope.origin.time)} if end else {}


def _end(event: Event) -> dict[str, Any]:
    match event:
        case RecoveryRejected(by=by, reason=reason):
            return {"state": "rejected", "by": by, "reason": reason}
        case RecoveryCancelled(by=by, reason=reason):
            return {"state": "cancelled", "by": by, "reason": reason}
        case RecoverySucceeded(took_seconds=took):
            return {"state": "succeeded", "took_seconds": took}
        case RecoveryFailed(reason=reason, outcome_unknown=unknown):
            return {"state": "failed", "reason": reason, "outcome_unknown": unknown}
        case _:
            return {}


def _step(rows: Rows, envelope: Envelope, event: Event) -> Iterator[Change]:
    changes = _step_changes(event, moment_text(envelope.origin.time))
    if changes:
        before: Row | None = rows.get(STEPS, envelope.entity.id, event.step)  # type: ignore[attr-defined]  # only events of a step have changes
        assert before is not None, "a step begins that was never planned"
        yield STEPS, {**before, **changes}
    if isinstance(event, RecoveryStepFailed):
        yield from _turned_back(rows, envelope, event.step)


def _turned_back(rows: Rows, envelope: Envelope, step: int) -> Iterator[Change]:
    """Show that a later step waits again, where an earlier one failed while it was being proven."""
    while later := rows.get(STEPS, envelope.entity.id, step := step + 1):
        if later["state"] == "proving":
            yield STEPS, {**later, "state": "waiting"}


def _step_changes(event: Event, time: str) -> dict[str, Any]:
    match event:
        case RecoveryStepBegan(attempt=attempt):
            began = {"began": time} if attempt == 1 else {}
            return {"state": "acting", "attempt": attempt, "detail": "", "ended": None, **began}
        case RecoveryStepActed(detail=detail):
            return {"state": "proving", "detail": detail}
        case RecoveryStepVerified():
            return {"state": "proven", "ended": time}
        case RecoveryStepFailed(reason=reason):
            return {"state": "failed", "detail": reason, "ended": time}
        case _:
            return {}


RECOVERY = Projection(
    name="recovery",
    version=3,
    tables=(RECOVERIES, STEPS),
    kinds=frozenset({"recovery"}),
    project=project,
)
