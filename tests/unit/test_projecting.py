"""What each event does to the rows that people see."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Table, select

from events.alert import AlertAcknowledged, AlertAnnotated, AlertEscalated, AlertFired, Escalation
from events.base import Event
from events.effect import (
    EffectCancelled,
    EffectCancelRequested,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectProgressed,
    Intent,
)
from events.entity import CommandDeclined, EntityParked, EntityReleased
from events.incident import IncidentCauseChanged, IncidentMemberRecovered, IncidentOpened
from events.recovery import (
    RecoveryFailed,
    RecoveryPlanned,
    RecoveryStepActed,
    RecoveryStepBegan,
    RecoveryStepFailed,
    Step,
)
from events.service import ServiceLostSight
from projections.alert import ALERTS
from projections.catalogue import PROJECTIONS
from projections.database import open_writer, sqlite_url
from projections.effect import EFFECTS
from projections.entity import DECLINED, PARKED
from projections.incident import INCIDENTS, MEMBERS
from projections.positions import ERRORS
from projections.recovery import RECOVERIES, STEPS
from projections.service import SERVICES
from projections.store import Store
from tests.history import EPOCH, Recorder
from tests.memory_log import MemoryLog
from tests.story import configure, evidence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AFTER = EPOCH + timedelta(seconds=30)


class Rows:
    """Commits one entity's events after another, and gives the rows that follow."""

    def __init__(self, folder: Path) -> None:
        self.log = MemoryLog()
        self.recorder = Recorder(self.log)
        self.store = Store(open_writer(sqlite_url(folder / "p.db")), PROJECTIONS)
        self.store.create()

    def happen(self, address: str, *events: Event) -> None:
        for event in events:
            asyncio.run(self.recorder.append(address, event))
        self.store.apply(self.log.commits(), self.log.position(len(self.log.stored)))

    def of(self, table: Table) -> list[dict[str, Any]]:
        with self.store.engine.connect() as connection:
            return [dict(row) for row in connection.execute(select(table)).mappings()]

    def only(self, table: Table, *names: str) -> tuple[Any, ...]:
        """Give the named columns of a table's only row."""
        (row,) = self.of(table)
        return tuple(row[name] for name in names)


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    rows = Rows(tmp_path)
    yield rows
    assert rows.of(ERRORS) == []
    rows.store.engine.dispose()


def intended(number: int = 1) -> EffectIntended:
    return EffectIntended(
        intent=Intent(number=number, effect="command.run", executor="e", deadline=AFTER)
    )


@pytest.mark.parametrize(
    ("events", "state", "detail", "ended"),
    [
        ([], "intended", "", False),
        ([EffectProgressed(number=1, step="stopped")], "intended", "stopped", False),
        ([EffectCancelRequested(number=1, reason="enough")], "cancelling", "enough", False),
        ([EffectFailed(number=1, reason="no")], "failed", "no", True),
        ([EffectCancelled(number=1, reason="enough")], "cancelled", "enough", True),
        ([EffectOutcomeUnknown(number=1, reason="silence")], "unknown", "silence", True),
    ],
)
def test_an_effect_is_shown_until_it_ended(
    rows: Rows, events: list[Event], state: str, detail: str, ended: bool
) -> None:
    rows.happen("recovery/a", intended(), *events)
    shown = rows.only(EFFECTS, "state", "detail", "ended")
    assert (shown[0], shown[1], shown[2] is not None) == (state, detail, ended)


def test_an_alert_is_told_again_taken_and_says_more(rows: Rows) -> None:
    fired = AlertFired(
        labels={"alertname": "A"},
        severity="error",
        receivers=("ops",),
        incident="incident/one",
        escalation=Escalation(),
        tell_again_at=AFTER,
        executor="e",
    )
    rows.happen("alert/a", fired, AlertEscalated(level=1, tell_again_at=None))
    assert rows.only(ALERTS, "state", "level", "incident") == ("firing", 1, "one")
    rows.happen("alert/a", AlertAnnotated(annotations={"summary": "more"}))
    rows.happen("alert/a", AlertAcknowledged(by="ann", comment="mine"))
    shown = rows.only(ALERTS, "state", "acknowledged_by", "comment", "annotations")
    assert shown == ("acknowledged", "ann", "mine", {"summary": "more"})
    rows.happen("alert/a", fired)
    assert rows.only(ALERTS, "state", "times_fired", "acknowledged_by") == ("firing", 2, "")


def test_quarantine_and_declines_are_shown(rows: Rows) -> None:
    rows.happen("alert/a", EntityParked(error="boom", where="evolve", sequence=7))
    assert rows.only(PARKED, "state", "where", "unreadable_sequence") == ("parked", "evolve", 7)
    rows.happen("alert/a", EntityReleased(reason="mended"))
    assert rows.only(PARKED, "state", "released_because") == ("released", "mended")
    rows.happen("alert/b", CommandDeclined(command="FireAlert", reason="silenced"))
    assert rows.only(DECLINED, "entity", "command", "reason") == (
        "alert/b",
        "FireAlert",
        "silenced",
    )


def test_a_deeper_cause_makes_the_first_one_an_effect(rows: Rows) -> None:
    opened = IncidentOpened(cause="service/app", reason="503", since=EPOCH)
    changed = IncidentCauseChanged(cause="db", was="app", reason="it needs db, which is down")
    rows.happen("incident/one", opened, changed, IncidentMemberRecovered(service="app"))
    assert rows.only(INCIDENTS, "cause", "reason") == ("db", "it needs db, which is down")
    members = {row["service"]: (row["role"], bool(row["recovered"])) for row in rows.of(MEMBERS)}
    assert members == {"app": ("effect", True), "db": ("cause", False)}


def test_a_recovery_that_fails_says_at_which_step(rows: Rows) -> None:
    step = Step(service="db", effect="process.restart", timeout_seconds=1, verify_seconds=1)
    planned = RecoveryPlanned(
        incident="one", cause="db", steps=(step,), mode="automatic", executor="e", planned_at=EPOCH
    )
    rows.happen("recovery/a", planned, RecoveryStepBegan(step=0, service="db", attempt=1))
    rows.happen("recovery/a", RecoveryStepBegan(step=0, service="db", attempt=2))
    rows.happen("recovery/a", RecoveryStepFailed(step=0, reason="still down"))
    rows.happen("recovery/a", RecoveryFailed(reason="step 1", outcome_unknown=True))
    assert rows.only(STEPS, "state", "attempt", "detail") == ("failed", 2, "still down")
    assert rows.only(RECOVERIES, "state", "outcome_unknown") == ("failed", True)


def test_a_step_waits_again_where_one_before_it_failed_again(rows: Rows) -> None:
    steps = tuple(
        Step(service=name, effect="process.restart", timeout_seconds=1, verify_seconds=1)
        for name in ("db", "app")
    )
    planned = RecoveryPlanned(
        incident="one", cause="db", steps=steps, mode="automatic", executor="e", planned_at=EPOCH
    )
    acted = RecoveryStepActed(step=1, verify_until=EPOCH)
    rows.happen("recovery/a", planned, RecoveryStepBegan(step=1, service="app", attempt=1), acted)
    assert [row["state"] for row in rows.of(STEPS)] == ["waiting", "proving"]
    rows.happen("recovery/a", RecoveryStepFailed(step=0, reason="db is down again"))
    assert [row["state"] for row in rows.of(STEPS)] == ["failed", "waiting"]


def test_a_recovery_in_shadow_is_over_when_it_is_said(rows: Rows) -> None:
    step = Step(service="db", effect="process.restart", timeout_seconds=1, verify_seconds=1)
    planned = RecoveryPlanned(
        incident="one", cause="db", steps=(step,), mode="shadow", executor="e", planned_at=EPOCH
    )
    rows.happen("recovery/a", planned)
    assert rows.only(STEPS, "state", "began") == ("waiting", None)
    (state, ended) = rows.only(RECOVERIES, "state", "ended")
    assert (state, ended is not None) == ("shadow", True)


def test_a_service_out_of_sight_is_neither_healthy_nor_down(rows: Rows) -> None:
    asyncio.run(configure(rows.recorder, ("demo-app",)))
    lost = ServiceLostSight(
        was="unknown", since=EPOCH, reason="the prober lagged", evidence=evidence(rows.recorder)
    )
    rows.happen("service/demo-app", lost)
    assert rows.only(SERVICES, "state", "reason") == ("no data", "the prober lagged")
