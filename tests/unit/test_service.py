"""A service is judged only by conclusions, and remembers what it was before it was out of sight."""

from __future__ import annotations

from typing import Any

from actors.alert import AcknowledgeAlert
from actors.service import (
    SERVICE,
    ConfigureService,
    Down,
    Healthy,
    NoData,
    ReportHealth,
    RequestProbe,
    RetireService,
    Unproven,
)
from events.base import Evidence
from events.service import ServiceBecameHealthy, ServiceSettings, ServiceWentDown, TcpCheck
from tests.deciding import Story, later

EVIDENCE = Evidence(stream="S", log_id="L", generation=1, first=1, last=2)
SETTINGS = ServiceSettings(checks=(TcpCheck(name="port", port=1),))


def configure(**changes: Any) -> ConfigureService:
    settings = SETTINGS.model_copy(update=changes)
    return ConfigureService(settings=settings, configuration_hash="hash")


def report(verdict: str, seconds: float = 0.0) -> ReportHealth:
    given = {"verdict": verdict, "since": later(seconds), "check": "port", "reason": "refused"}
    return ReportHealth.model_validate({**given, "evidence": EVIDENCE})


RETIRE = RetireService(reason="it is not in the file", configuration_hash="hash")


def watched() -> Story:
    story = Story(SERVICE)
    assert story.names(configure()) == ["ServiceConfigured"]
    return story


def test_what_is_not_configured_is_not_judged() -> None:
    story = Story(SERVICE)
    assert story.declines(report("down")) == "the service is unknown, not watched"
    assert story.declines(RequestProbe(reason="x")) == "the service is unknown, not watched"
    assert story.give(RETIRE) == []


def test_the_same_settings_change_nothing_and_others_keep_the_health() -> None:
    story = watched()
    assert story.give(configure()) == []
    story.give(report("down"))
    assert story.names(configure(title="new")) == ["ServiceConfigured"]
    assert type(story.state.health) is Down


def test_only_a_changed_conclusion_is_a_fact() -> None:
    story = watched()
    for verdict, health in (("healthy", Healthy), ("down", Down), ("no data", NoData)):
        assert len(story.give(report(verdict))) == 1
        assert isinstance(story.state.health, health)
        assert story.give(report(verdict)) == []


def test_recovery_says_how_long_it_was_down() -> None:
    story = watched()
    (went_down,) = story.give(report("down", 10))
    assert isinstance(went_down, ServiceWentDown)
    assert (went_down.was, went_down.reason, went_down.evidence) == ("unknown", "refused", EVIDENCE)
    (healthy,) = story.give(report("healthy", 25))
    assert isinstance(healthy, ServiceBecameHealthy)
    assert (healthy.was, healthy.down_seconds) == ("down", 15.0)


def test_clocks_that_disagree_make_no_negative_time() -> None:
    story = watched()
    story.give(report("down", 10))
    (healthy,) = story.give(report("healthy", 5))
    assert isinstance(healthy, ServiceBecameHealthy)
    assert healthy.down_seconds == 0.0


def test_being_out_of_sight_is_neither_healthy_nor_down() -> None:
    story = watched()
    story.give(report("down"))
    assert story.names(report("no data")) == ["ServiceLostSight"]
    assert story.state.health.was_down
    assert story.names(report("healthy")) == ["ServiceBecameHealthy"]
    story.give(report("no data"))
    assert not story.state.health.was_down


def test_a_retired_service_is_judged_no_more_until_it_is_configured_again() -> None:
    story = watched()
    assert story.names(RETIRE) == ["ServiceRetired"]
    assert story.give(RETIRE) == []
    assert "retired" in story.declines(report("down"))
    assert story.names(configure()) == ["ServiceConfigured"]
    assert type(story.state.health) is Unproven


def test_a_probe_is_asked_for() -> None:
    story = watched()
    assert story.names(RequestProbe(reason="the app is down")) == ["ServiceProbeRequested"]


def test_what_a_service_does_not_know_is_declined() -> None:
    assert "AcknowledgeAlert" in watched().declines(AcknowledgeAlert(by="ann"))


def test_a_past_conclusion_says_nothing_against_what_is_known_of_later() -> None:
    story = watched()
    story.give(report("healthy"))
    past = {"is_past": True}
    assert len(story.give(report("down", 5).model_copy(update=past))) == 1
    assert len(story.give(report("healthy", 9).model_copy(update=past))) == 1
    assert story.give(report("down", 5).model_copy(update=past)) == []
    assert isinstance(story.state.health, Healthy)
    story.give(report("down", 20))
    assert story.give(report("healthy", 9).model_copy(update=past)) == []
    story.give(report("no data", 30))
    assert len(story.give(report("down", 25).model_copy(update=past))) == 1
