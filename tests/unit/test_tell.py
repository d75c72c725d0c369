"""People are told once of one incident, and of what nobody sees or can mend."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from actors.policies.tell import NAMES_SHOWN_MAX, TELL
from events.base import Evidence
from events.entity import EntityParked, EntityReleased
from events.incident import (
    IncidentCauseChanged,
    IncidentEffectJoined,
    IncidentOpened,
    IncidentResolved,
)
from events.platform import PlatformConfigured, PlatformSettings, PlatformToldWithoutLog
from events.policy import CauseQuarantined
from events.recovery import RecoveryFailed
from events.service import ServiceBecameHealthy, ServiceLostSight, ServiceProbeRequested
from tests.correlating import envelope
from tests.deciding import NOW

if TYPE_CHECKING:
    from events.base import Event

EVIDENCE = Evidence(stream="S", log_id="L", generation=1, first=1, last=2)


class Telling:
    """The policy, event by event; `said` is what it ordered."""

    def __init__(self) -> None:
        self.knows, self.sequence = TELL.initial, 0
        settings = PlatformSettings(receivers=("ops",))
        self.see("platform/p", PlatformConfigured(settings=settings, configuration_hash=""))

    def see(self, address: str, event: Event) -> list[str]:
        self.sequence += 1
        conclusion = TELL.observe(self.knows, envelope(address, event, self.sequence, NOW), NOW)
        for note in conclusion.notes:
            self.knows = TELL.evolve(self.knows, note)
        self.wishes: list[Any] = conclusion.wishes
        return [f"{type(one.command).__name__} {one.target.id}" for one in conclusion.wishes]

    def open(self, cause: str = "db", incident: str = "db-1", **changes: Any) -> list[str]:
        event = IncidentOpened(cause=cause, reason="refused", since=NOW, **changes)
        return self.see(f"incident/{incident}", event)


def joined(service: str) -> IncidentEffectJoined:
    return IncidentEffectJoined(service=service, because="", reason="", since=NOW)


RESOLVED = IncidentResolved(reason="mended", lasted_seconds=1)


def test_an_incident_is_told_once_and_ended_once() -> None:
    telling = Telling()
    assert telling.open() == ["FireAlert ServiceDown:db"]
    (wish,) = telling.wishes
    assert (wish.command.receivers, wish.command.severity) == (("ops",), "critical")
    assert telling.see("incident/db-1", joined("app")) == ["AnnotateAlert ServiceDown:db"]
    assert "because of it app" in telling.wishes[0].command.annotations["summary"]
    assert telling.see("incident/db-1", RESOLVED) == ["ResolveAlert ServiceDown:db"]
    assert telling.see("incident/db-1", RESOLVED) == []
    assert telling.see("incident/db-1", joined("page")) == []


def test_what_is_not_critical_is_a_warning() -> None:
    telling = Telling()
    telling.open(critical=False)
    assert telling.wishes[0].command.severity == "warning"


def test_a_deeper_cause_changes_the_words_and_not_the_alert() -> None:
    telling = Telling()
    telling.open("app", "app-1")
    changed = IncidentCauseChanged(cause="db", was="app", reason="")
    assert telling.see("incident/app-1", changed) == ["AnnotateAlert ServiceDown:app"]
    assert telling.wishes[0].command.annotations["summary"] == "db is down, and because of it app"


def test_two_incidents_never_share_an_alert() -> None:
    telling = Telling()
    telling.open("app", "app-1")
    assert telling.open("app", "app-9") == ["FireAlert ServiceDown:app:app-9"]
    assert telling.see("incident/app-1", RESOLVED) == ["ResolveAlert ServiceDown:app"]
    assert telling.see("incident/app-9", RESOLVED) == ["ResolveAlert ServiceDown:app:app-9"]


def test_many_effects_are_counted() -> None:
    telling = Telling()
    telling.open()
    for number in range(NAMES_SHOWN_MAX + 5):
        telling.see("incident/db-1", joined(f"s{number}"))
    assert telling.wishes[0].command.annotations["summary"].endswith("and 5 more")


def test_a_failed_recovery_asks_for_help_whatever_the_ids_hold() -> None:
    telling = Telling()
    telling.open("db:5432", "db:5432-1")
    failed = RecoveryFailed(reason="not healthy after 2 tries")
    recovery = "recovery/db:5432-1:db:5432"
    assert telling.see(recovery, failed) == ["FireAlert RecoveryFailed:db:5432-1"]
    assert telling.see("recovery/other-1:other", failed) == []
    assert telling.see("incident/db:5432-1", RESOLVED) == [
        "ResolveAlert ServiceDown:db:5432",
        "ResolveAlert RecoveryFailed:db:5432-1",
    ]


def test_what_is_parked_and_what_was_left_out_is_told() -> None:
    telling = Telling()
    parked = EntityParked(error="a bug", where="evolve", sequence=7)
    assert telling.see("service/db", parked) == ["FireAlert EntityParked:service/db"]
    released = EntityReleased(reason="mended")
    assert telling.see("service/db", released) == ["ResolveAlert EntityParked:service/db"]
    left_out = CauseQuarantined(cause_id="c.0", cause_type="t", error="a bug")
    assert telling.see("policy/mend", left_out) == ["FireAlert EventLeftOut:policy/mend"]


def test_services_out_of_sight_are_one_alert() -> None:
    telling = Telling()
    lost = ServiceLostSight(was="healthy", since=NOW, reason="", evidence=EVIDENCE)
    seen = ServiceBecameHealthy(was="no data", since=NOW, evidence=EVIDENCE)
    assert telling.see("service/a", lost) == ["FireAlert NoData"]
    assert telling.see("service/a", lost) == []
    assert telling.see("service/b", lost) == ["FireAlert NoData"]
    assert "a, b" in telling.wishes[0].command.annotations["summary"]
    assert telling.see("service/a", seen) == ["FireAlert NoData"]
    assert telling.see("service/b", seen) == ["ResolveAlert NoData"]
    assert telling.see("service/b", seen) == []
    assert telling.see("service/b", ServiceProbeRequested(reason="")) == []


def heard(status: Literal["firing", "resolved"], seconds: float = 10.0) -> PlatformToldWithoutLog:
    return PlatformToldWithoutLog(
        alert="ServiceDown:db",
        status=status,
        receiver="ops",
        told_at=NOW + timedelta(seconds=seconds),
        summary="db is down",
    )


def test_who_heard_it_without_the_log_is_not_told_again_but_hears_its_end() -> None:
    telling = Telling()
    telling.see("platform/p", heard("firing"))
    telling.open()
    assert telling.wishes[0].command.heard == ("ops",)
    telling.see("incident/db-1", RESOLVED)
    assert telling.wishes[0].command.heard == ()


def test_who_heard_the_end_too_hears_neither_again() -> None:
    telling = Telling()
    telling.see("platform/p", heard("firing"))
    telling.see("platform/p", heard("resolved", 20))
    telling.open()
    telling.see("incident/db-1", joined("app"))
    telling.see("incident/db-1", RESOLVED)
    assert telling.wishes[0].command.heard == ("ops",)


def test_what_was_heard_of_an_earlier_fault_does_not_count() -> None:
    telling = Telling()
    telling.see("platform/p", heard("resolved", -10))
    telling.open()
    assert telling.wishes[0].command.heard == ()
    telling.see("incident/db-1", RESOLVED)
    assert telling.wishes[0].command.heard == ()
    telling.see("platform/p", heard("firing"))
    telling.open()
    telling.see("incident/db-1", RESOLVED)
    telling.open("db", "db-2")
    assert telling.wishes[0].command.heard == ()
