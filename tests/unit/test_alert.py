"""An alert is told, told again while nobody takes it, and ended for all who heard of it."""

from __future__ import annotations

from typing import Any

from actors.alert import ALERT, AcknowledgeAlert, AnnotateAlert, FireAlert, ResolveAlert
from actors.base import Tick
from actors.intents import ReportEffect, ReportProgress
from events.alert import Escalation
from events.effect import EffectFailed, EffectIntended
from tests.deciding import Story, later


def fire(*receivers: str, **changes: Any) -> FireAlert:
    given = {
        "labels": {"alertname": "Disk", "severity": "critical"},
        "annotations": {"summary": "the disk is full"},
        "severity": "critical",
        "receivers": receivers or ("ops",),
        "escalation": Escalation(wait_seconds=60.0, repeats_max=1),
    }
    return FireAlert.model_validate({**given, **changes})


def ended(number: int, outcome: str = "succeeded", **changes: Any) -> ReportEffect:
    return ReportEffect.model_validate({"number": number, "outcome": outcome, **changes})


def notices(events: list[Any]) -> list[str]:
    """Give receiver, status and key of the notices among some events."""
    return [
        "{receiver} {status} {key}".format(**event.intent.arguments)
        for event in events
        if isinstance(event, EffectIntended)
    ]


def firing() -> Story:
    story = Story(ALERT)
    story.give(fire())
    story.give(ended(1))
    return story


def test_firing_tells_each_receiver_once() -> None:
    story = Story(ALERT)
    assert notices(story.give(fire("ops", "boss", "ops"))) == [
        "ops firing 1-firing-0",
        "boss firing 1-firing-0",
    ]
    assert story.give(fire("ops", "boss")) == []
    assert story.is_in == "Firing"


def test_an_alert_without_receivers_is_told_to_nobody() -> None:
    story = Story(ALERT)
    assert story.names(fire(receivers=())) == ["AlertFired"]
    assert story.names(ResolveAlert(reason="x")) == ["AlertResolved"]


def test_new_words_are_kept_and_told_to_nobody() -> None:
    story = firing()
    assert story.names(fire(annotations={"summary": "fuller"})) == ["AlertAnnotated"]
    assert story.names(AnnotateAlert(annotations={"summary": "fullest"})) == ["AlertAnnotated"]
    assert story.give(AnnotateAlert(annotations={"summary": "fullest"})) == []
    assert story.state.content.annotations == {"summary": "fullest"}


def test_nobody_took_it_so_it_is_told_again_as_often_as_configured() -> None:
    story = firing()
    assert ALERT.due(story.state) == later(60)
    assert story.give(Tick(), 59) == []
    events = story.give(Tick(), 60)
    assert notices(events) == ["ops firing 1-firing-1"]
    story.give(ended(2), 61)
    assert ALERT.due(story.state) is None


def test_who_takes_it_ends_the_repeats() -> None:
    story = firing()
    assert story.names(AcknowledgeAlert(by="ann")) == ["AlertAcknowledged"]
    assert ALERT.due(story.state) is None
    assert story.declines(AcknowledgeAlert(by="bob")) == "ann has acknowledged it already"
    assert notices(story.give(ResolveAlert(reason="mended"))) == ["ops resolved 1-resolved-0"]


def test_only_who_may_know_hears_the_end() -> None:
    story = Story(ALERT)
    story.give(fire("ops", "boss", "night"))
    story.give(ended(1))
    story.give(ended(2, "failed", permanent=True))
    story.give(ended(3, "unknown"))
    story.give(ended(4, "failed", permanent=True))
    events = story.give(ResolveAlert(reason="mended"))
    assert notices(events) == ["ops resolved 1-resolved-0", "night resolved 1-resolved-0"]


def test_the_end_follows_a_notice_that_was_on_its_way() -> None:
    story = Story(ALERT)
    story.give(fire())
    assert notices(story.give(ResolveAlert(reason="mended"))) == []
    assert notices(story.give(ended(1))) == ["ops resolved 1-resolved-0"]


def test_the_end_of_the_old_comes_before_the_new() -> None:
    story = firing()
    story.give(ResolveAlert(reason="mended"))
    assert notices(story.give(fire())) == []
    assert notices(story.give(ended(2))) == ["ops firing 2-firing-0"]
    story.give(ended(3))
    assert story.state.telling.episode == 2


def test_an_end_that_was_overtaken_is_still_told_first() -> None:
    story = Story(ALERT)
    story.give(fire())
    story.give(ResolveAlert(reason="mended"))
    story.give(fire())
    assert notices(story.give(ended(1))) == ["ops resolved 1-resolved-0"]
    assert notices(story.give(ended(2))) == ["ops firing 2-firing-0"]


def test_who_is_no_receiver_any_more_hears_only_the_end() -> None:
    story = firing()
    events = story.give(ResolveAlert(reason="mended"))
    assert notices(events) == ["ops resolved 1-resolved-0"]
    assert notices(story.give(fire("boss"))) == ["boss firing 2-firing-0"]
    assert notices(story.give(ended(2))) == []
    story.give(ended(3))
    story.give(ResolveAlert(reason="mended"))
    story.give(ended(4))
    story.give(fire("boss"))
    assert [one.name for one in story.state.telling.receivers] == ["boss"]


def test_a_failure_is_tried_again_later_and_later() -> None:
    story = Story(ALERT)
    story.give(fire(escalation=Escalation(wait_seconds=9e6, repeats_max=0)))
    now, waits = 0.0, []
    for number in range(1, 11):
        (end,) = story.give(ended(number, "failed", detail="no route"), now)
        assert isinstance(end, EffectFailed)
        if end.retry_at is None:
            break
        waits.append((end.retry_at - later(now)).total_seconds())
        assert story.give(Tick(), now + waits[-1] - 0.1) == []
        now += waits[-1]
        (intent,) = story.give(Tick(), now)
        assert isinstance(intent, EffectIntended)
        assert intent.intent.attempt == number + 1
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert ALERT.due(story.state) is None


def test_silence_of_the_executor_is_unknown_and_tried_again() -> None:
    story = Story(ALERT)
    story.give(fire())
    due = ALERT.due(story.state)
    assert due == later(17)
    assert story.names(Tick(), 17) == ["EffectOutcomeUnknown", "EffectIntended"]
    assert story.declines(ended(1)) == "intent 1 is not open: it has its end already"


def test_what_does_not_fire_is_neither_taken_nor_ended() -> None:
    story = Story(ALERT)
    for command in (
        AcknowledgeAlert(by="ann"),
        AnnotateAlert(annotations={}),
        ResolveAlert(reason="x"),
    ):
        assert story.declines(command) == "the alert does not fire"
    assert "not open" in story.declines(ReportProgress(number=1, step="x"))


def test_progress_is_kept() -> None:
    story = Story(ALERT)
    story.give(fire())
    assert story.names(ReportProgress(number=1, step="sent", fraction=0.5)) == ["EffectProgressed"]


def test_who_heard_it_by_another_way_is_told_only_its_end() -> None:
    story = Story(ALERT)
    assert notices(story.give(fire("ops", "boss", heard=("ops",)))) == ["boss firing 1-firing-0"]
    story.give(ended(1))
    assert sorted(notices(story.give(ResolveAlert(reason="x")))) == [
        "boss resolved 1-resolved-0",
        "ops resolved 1-resolved-0",
    ]


def test_who_heard_the_end_by_another_way_too_is_told_nothing() -> None:
    story = Story(ALERT)
    assert notices(story.give(fire("ops", heard=("ops",)))) == []
    assert notices(story.give(ResolveAlert(reason="x", heard=("ops",)))) == []
    assert notices(story.give(fire("ops"))) == ["ops firing 2-firing-0"]
