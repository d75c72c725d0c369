"""The cause is mended, its effects are waited for, and each recovery hears what it must."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.policies.mend import MEND, incident_of
from events.base import Evidence
from events.incident import IncidentCauseChanged, IncidentOpened, IncidentResolved
from events.platform import PlatformConfigured, PlatformSettings
from events.recovery import (
    RecoveryCancelled,
    RecoveryFailed,
    RecoveryPlanned,
    RecoverySucceeded,
    Step,
)
from events.service import RecoveryAction, ServiceBecameHealthy, ServiceWentDown
from events.topology import Node, TopologyDeclared
from tests.correlating import envelope
from tests.deciding import NOW

if TYPE_CHECKING:
    from events.base import Event

EVIDENCE = Evidence(stream="S", log_id="L", generation=1, first=1, last=2)
ACTION = RecoveryAction(attempts_max=2)
SERVICES = {
    "disk": Node(recovery=ACTION),
    "db": Node(depends_on=("disk",), recovery=ACTION),
    "app": Node(depends_on=("db",)),
}


class Mending:
    """The policy, event by event; `said` is what it ordered."""

    def __init__(self, mode: str = "automatic") -> None:
        self.knows, self.sequence, self.wishes = MEND.initial, 0, list[Any]()
        settings = PlatformSettings.model_validate({"recovery_mode": mode})
        self.see("platform/p", PlatformConfigured(settings=settings, configuration_hash=""))
        self.see("topology/p", TopologyDeclared(services=SERVICES, configuration_hash=""))

    def see(self, address: str, event: Event) -> list[str]:
        self.sequence += 1
        conclusion = MEND.observe(self.knows, envelope(address, event, self.sequence, NOW), NOW)
        for note in conclusion.notes:
            self.knows = MEND.evolve(self.knows, note)
        self.wishes = conclusion.wishes
        return [f"{type(one.command).__name__} {one.target}" for one in conclusion.wishes]

    def down(self, *names: str) -> None:
        for name in names:
            event = ServiceWentDown(was="", since=NOW, check="", reason="", evidence=EVIDENCE)
            self.see(f"service/{name}", event)

    def healthy(self, name: str) -> list[str]:
        event = ServiceBecameHealthy(was="down", since=NOW, evidence=EVIDENCE)
        return self.see(f"service/{name}", event)


OPENED = IncidentOpened(cause="db", reason="", since=NOW)
RECOVERY = "recovery/db-1:db"


def planned(mode: str) -> RecoveryPlanned:
    step = Step(service="db", effect="none", timeout_seconds=1, verify_seconds=1)
    given = {"incident": "db-1", "cause": "db", "steps": (step,), "mode": mode}
    return RecoveryPlanned.model_validate({**given, "executor": "x", "planned_at": NOW})


def test_the_cause_is_mended_and_its_effects_are_waited_for() -> None:
    mending = Mending()
    mending.down("db", "app")
    assert mending.see("incident/db-1", OPENED) == [f"StartRecovery {RECOVERY}"]
    command = mending.wishes[0].command
    assert [step.service for step in command.steps] == ["db", "app"]
    assert [step.effect for step in command.steps] == ["process.restart", "none"]
    assert command.healthy == ()
    assert mending.healthy("db") == [f"ReportServiceHealth {RECOVERY}"]
    assert mending.healthy("db") == []
    succeeded = RecoverySucceeded(took_seconds=1)
    assert mending.see(RECOVERY, succeeded) == ["NoteRecovery incident/db-1"]
    assert mending.see(RECOVERY, succeeded) == []
    assert mending.healthy("app") == []


def test_what_cannot_be_mended_is_left_to_people() -> None:
    mending = Mending()
    assert mending.see("incident/app-1", IncidentOpened(cause="app", reason="", since=NOW)) == []
    assert mending.see("incident/x-1", IncidentOpened(cause="x", reason="", since=NOW)) == []


def test_a_deeper_cause_stops_what_runs_and_is_mended_instead() -> None:
    mending = Mending()
    mending.down("db")
    mending.see("incident/db-1", OPENED)
    changed = IncidentCauseChanged(cause="disk", was="db", reason="")
    orders = mending.see("incident/db-1", changed)
    assert orders == [
        f"CancelRecovery {RECOVERY}",
        f"StartRecovery recovery/db-1:disk:{mending.sequence}",
    ]
    cancelled = RecoveryCancelled(by="policy:mend", reason="")
    assert mending.see(RECOVERY, cancelled) == ["NoteRecovery incident/db-1"]


def test_a_cause_that_fails_again_is_mended_again_unless_that_runs_still() -> None:
    mending = Mending()
    mending.see("incident/db-1", OPENED)
    again = IncidentCauseChanged(cause="db", was="db", reason="")
    assert mending.see("incident/db-1", again) == []
    mending.see(RECOVERY, RecoveryFailed(reason=""))
    orders = mending.see("incident/db-1", again)
    assert orders == [f"StartRecovery recovery/db-1:db:{mending.sequence}"]


@pytest.mark.parametrize(
    ("mode", "outcome", "runs"), [("shadow", "shadow", 0), ("automatic", "", 1)]
)
def test_a_plan_is_noted_in_its_incident(mode: str, outcome: str, runs: int) -> None:
    mending = Mending(mode)
    mending.see("incident/db-1", OPENED)
    assert mending.see(RECOVERY, planned(mode)) == ["NoteRecovery incident/db-1"]
    assert mending.wishes[0].command.outcome == outcome
    assert len(mending.knows.runs) == runs


@pytest.mark.parametrize(
    ("mode", "orders"), [("approval", [f"CancelRecovery {RECOVERY}"]), ("automatic", [])]
)
def test_what_still_waits_for_a_person_is_withdrawn_when_it_is_over(
    mode: str, orders: list[str]
) -> None:
    mending = Mending(mode)
    mending.see("incident/db-1", OPENED)
    resolved = IncidentResolved(reason="", lasted_seconds=1)
    assert mending.see("incident/db-1", resolved) == orders


def test_a_recovery_names_its_incident() -> None:
    names = ["db", "db-1", "db-1:x"]
    assert incident_of("db-1:x:app", names) == "db-1:x"
    assert incident_of("db-1:db:5432", names) == "db-1"
    assert incident_of("other:db", names) == ""
