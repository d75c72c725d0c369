"""An incident is open until each of its services is healthy again, or it became part of another."""

from __future__ import annotations

from actors.incident import (
    INCIDENT,
    ChangeCause,
    JoinEffect,
    NoteRecovery,
    OpenIncident,
    ReportMember,
    ResolveIncident,
)
from events.incident import IncidentResolved
from tests.deciding import NOW, Story

OPEN = OpenIncident(cause="db", reason="refused", since=NOW)


def join(service: str) -> JoinEffect:
    return JoinEffect(service=service, because="it needs db", reason="503", since=NOW)


def opened() -> Story:
    story = Story(INCIDENT)
    assert story.names(OPEN) == ["IncidentOpened"]
    return story


def test_it_is_over_when_the_last_is_healthy() -> None:
    story = opened()
    assert story.names(join("app")) == ["IncidentEffectJoined"]
    assert story.give(join("app")) == []
    assert story.names(ReportMember(service="db")) == ["IncidentMemberRecovered"]
    events = story.give(ReportMember(service="app"), 90)
    assert [type(one).__name__ for one in events] == ["IncidentMemberRecovered", "IncidentResolved"]
    assert isinstance(events[1], IncidentResolved)
    assert events[1].lasted_seconds == 90
    assert "app is healthy again" in events[1].reason
    assert story.state.members == ("db", "app")


def test_a_member_may_fail_again() -> None:
    story = opened()
    story.give(join("app"))
    story.give(ReportMember(service="app"))
    assert story.names(join("app")) == ["IncidentEffectJoined"]
    assert story.state.members == ("db", "app")


def test_who_is_no_member_changes_nothing() -> None:
    story = opened()
    assert story.give(ReportMember(service="page")) == []
    assert story.give(OPEN) == []


def test_a_deeper_cause_makes_the_old_one_an_effect() -> None:
    story = opened()
    assert story.names(ChangeCause(cause="disk", reason="full")) == ["IncidentCauseChanged"]
    assert story.give(ChangeCause(cause="disk", reason="full")) == []
    assert (story.state.cause, story.state.failing) == ("disk", frozenset({"db", "disk"}))


def test_a_cause_that_recovered_and_fails_again_is_named_again() -> None:
    story = opened()
    story.give(join("app"))
    story.give(ReportMember(service="db"))
    assert story.names(ChangeCause(cause="db", reason="again")) == ["IncidentCauseChanged"]
    assert story.state.failing == {"db", "app"}


def test_recoveries_are_noted_even_after_its_end() -> None:
    story = opened()
    assert story.names(NoteRecovery(recovery="r")) == ["IncidentRecoveryBegan"]
    assert story.names(ResolveIncident(reason="part of another")) == ["IncidentResolved"]
    ended = NoteRecovery(recovery="r", outcome="succeeded")
    assert story.names(ended) == ["IncidentRecoveryEnded"]
    assert story.declines(join("app")) == "the incident is resolved"
    assert story.declines(OPEN) == "the incident is resolved"


def test_what_was_never_opened_takes_nothing_in() -> None:
    story = Story(INCIDENT)
    assert story.declines(join("app")) == "the incident is not open"
    assert story.declines(NoteRecovery(recovery="r")) == "the incident is not open"
