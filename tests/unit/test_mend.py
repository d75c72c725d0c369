"""The cause is mended, its effects are waited for, and each recovery hears what it must."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.policies.mend import MEND
from actors.policies.mending import incident_of
from events.base import Evidence
from events.incident import IncidentCauseChanged, IncidentOpened, IncidentResolved
from events.platform import PlatformConfigured, PlatformSettings
from events.recovery import (
    RecoveryCancelled,
    RecoveryFailed,
    RecoveryPlanned,
    RecoveryRejected,
    RecoveryStepActed,
    RecoverySucceeded,
    Step,
)
from events.service import (
    RecoveryAction,
    ServiceBecameHealthy,
    ServiceLostSight,
    ServiceWentDown,
)
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

    def unseen(self, name: str) -> list[str]:
        event = ServiceLostSight(was="", since=NOW, reason="", evidence=EVIDENCE)
        return self.see(f"service/{name}", event)

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


AGAIN = IncidentCauseChanged(cause="db", was="db", reason="")
SUCCEEDED = RecoverySucceeded(took_seconds=1)
NOTED = "NoteRecovery incident/db-1"


def another(mending: Mending) -> str:
    """Name the recovery that is asked for because of what was seen last."""
    return f"StartRecovery recovery/db-1:db:{mending.sequence}"


def test_a_recovery_hears_what_was_known_when_it_acted_before_anything_newer() -> None:
    mending = Mending()
    mending.down("db", "app")
    mending.see("incident/db-1", OPENED)
    mending.healthy("app")
    acted = RecoveryStepActed(step=0, verify_until=NOW)
    assert mending.see(RECOVERY, acted) == [f"ReportKnownHealth {RECOVERY}"]
    command = mending.wishes[0].command
    assert (command.as_of, command.healthy) == (NOW, ("app",))
    mending.unseen("app")
    mending.see(RECOVERY, acted)
    assert mending.wishes[0].command.healthy == ()
    mending.see(RECOVERY, RecoveryFailed(reason=""))
    assert mending.see(RECOVERY, acted) == []


def test_who_is_not_seen_is_not_down() -> None:
    mending = Mending()
    mending.down("db")
    mending.see("incident/db-1", OPENED)
    mending.healthy("db")
    assert mending.unseen("db") == [f"ReportSightLost {RECOVERY}"]
    assert mending.unseen("db") == []
    assert mending.see(RECOVERY, SUCCEEDED) == [NOTED], "nobody knows that it is down"
    assert mending.healthy("db") == []
    mending.down("app")
    assert mending.see("incident/db-1", AGAIN) == [another(mending)]
    assert mending.wishes[0].command.healthy == ("db",)
    mending.unseen("db")
    mending.down("db")
    assert mending.wishes[0].command.healthy is False, "who was not seen, and then is down"
    assert mending.unseen("db") == []


def test_a_cause_that_failed_again_while_its_recovery_ended_is_mended_again() -> None:
    mending = Mending()
    mending.down("db")
    mending.see("incident/db-1", OPENED)
    mending.healthy("db")
    mending.down("db")
    assert mending.see("incident/db-1", AGAIN) == [], "what runs hears of it"
    assert mending.see(RECOVERY, SUCCEEDED) == [NOTED, another(mending)]
    assert mending.wishes[1].command.healthy == ("app",)


@pytest.mark.parametrize(
    "end",
    [
        RecoveryFailed(reason="it is not healthy after 2 tries"),
        RecoveryCancelled(by="ann", reason="I do it myself"),
        RecoveryRejected(by="ann", reason=""),
    ],
)
def test_what_was_tried_to_the_end_or_is_left_to_a_person_is_not_begun_again(end: Event) -> None:
    mending = Mending()
    mending.down("db", "app")
    mending.see("incident/db-1", OPENED)
    assert mending.see(RECOVERY, end) == [NOTED]
    orders = mending.healthy("db")
    has_failed = isinstance(end, RecoveryFailed)
    assert orders == ([another(mending)] if has_failed else []), "its effects are to be mended"


def test_effects_are_mended_only_while_their_incident_is_open_and_nothing_runs() -> None:
    mending = Mending()
    mending.down("db", "app")
    mending.see("incident/db-1", OPENED)
    assert mending.healthy("db") == [f"ReportServiceHealth {RECOVERY}"]
    mending.down("db")
    mending.see(RECOVERY, RecoveryFailed(reason=""))
    mending.see("incident/db-1", IncidentResolved(reason="it is part of another", lasted_seconds=1))
    assert mending.healthy("db") == []
    assert mending.knows.causes == {}


def test_what_is_withdrawn_is_followed_by_nothing_where_another_runs() -> None:
    mending = Mending()
    mending.down("db", "disk")
    mending.see("incident/db-1", OPENED)
    mending.see("incident/db-1", IncidentCauseChanged(cause="disk", was="db", reason=""))
    withdrawn = RecoveryCancelled(by="policy:mend", reason="the cause is disk")
    assert mending.see(RECOVERY, withdrawn) == [NOTED]
    changed = IncidentCauseChanged(cause="app", was="disk", reason="")
    mending.see("incident/db-1", changed)
    assert mending.knows.causes == {}, "nobody can mend the app"


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
    ("mode", "orders"), [("approval", [f"WithdrawRecovery {RECOVERY}"]), ("automatic", [])]
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
