"""A recovery does what was planned in order, believes only checks, asks where it can't know."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from actors.base import Tick
from actors.intents import ReportProgress
from actors.recovery import (
    RECOVERY,
    ApproveRecovery,
    CancelRecovery,
    RejectRecovery,
    WithdrawRecovery,
)
from events.effect import EffectIntended
from events.recovery import RecoveryFailed, RecoveryRejected
from tests.deciding import Story, later
from tests.recovering import healthy, known, report, start, step


def test_the_cause_is_mended_then_each_effect_is_proven_in_order() -> None:
    story = Story(RECOVERY)
    app = step("app", wait_first=True, attempts_max=2)
    began = ["RecoveryPlanned", "RecoveryStepBegan", "EffectIntended"]
    assert story.names(start(step("db"), app)) == began
    assert story.names(report("succeeded")) == ["EffectSucceeded", "RecoveryStepActed"]
    assert story.names(known(story)) == ["RecoveryServiceReported"]
    assert story.names(healthy("db")) == [
        "RecoveryServiceReported",
        "RecoveryStepVerified",
        "RecoveryStepBegan",
        "RecoveryStepActed",
    ]
    story.give(known(story))
    assert story.names(healthy("app"), 5) == [
        "RecoveryServiceReported",
        "RecoveryStepVerified",
        "RecoverySucceeded",
    ]
    assert RECOVERY.due(story.state) is None


def test_what_is_healthy_already_is_not_touched() -> None:
    story = Story(RECOVERY)
    names = story.names(start(step("db"), step("app"), healthy=("db", "app")))
    assert names == ["RecoveryPlanned", *["RecoveryStepVerified"] * 2, "RecoverySucceeded"]


def test_shadow_says_what_it_would_do_and_does_nothing() -> None:
    story = Story(RECOVERY)
    assert story.names(start(step("db"), mode="shadow")) == ["RecoveryPlanned"]
    assert story.state.outcome == "shadow"
    assert story.give(start(step("db"))) == []


def test_approval_waits_for_a_person_but_not_for_ever() -> None:
    story = Story(RECOVERY)
    story.give(start(step("db"), mode="approval", approval_seconds=100))
    assert RECOVERY.due(story.state) == later(100)
    assert story.names(ApproveRecovery(by="ann"))[:2] == ["RecoveryApproved", "RecoveryStepBegan"]
    late = Story(RECOVERY)
    late.give(start(step("db"), mode="approval", approval_seconds=100))
    assert late.give(Tick(), 99) == []
    (rejected,) = late.give(Tick(), 100)
    assert isinstance(rejected, RecoveryRejected)
    assert rejected.by == "nobody"
    assert late.declines(ApproveRecovery(by="ann")) == "the recovery does not wait for approval"


def test_a_person_may_refuse() -> None:
    story = Story(RECOVERY)
    story.give(start(step("db"), mode="approval"))
    assert story.names(RejectRecovery(by="ann", reason="no")) == ["RecoveryRejected"]


def test_what_does_not_become_healthy_in_time_is_tried_again_then_failed() -> None:
    story = Story(RECOVERY)
    story.give(start(step("db", attempts_max=2)))
    story.give(report("succeeded"), 1)
    assert RECOVERY.due(story.state) == later(21)
    again = ["RecoveryStepFailed", "RecoveryStepBegan", "EffectIntended"]
    assert story.names(Tick(), 21) == again
    assert story.names(report("failed", 2), 22) == [
        "EffectFailed",
        "RecoveryStepFailed",
        "RecoveryFailed",
    ]
    assert story.state.outcome == "failed"


@pytest.mark.parametrize(
    ("effect", "ending"),
    [("process.restart", "EffectIntended"), ("command.run", "RecoveryFailed")],
)
def test_what_nobody_knows_is_repeated_only_where_that_is_safe(effect: str, ending: str) -> None:
    story = Story(RECOVERY)
    story.give(start(step("db", effect=effect, attempts_max=2)))
    assert RECOVERY.due(story.state) == later(12)
    events = story.give(Tick(), 12)
    assert type(events[0]).__name__ == "EffectOutcomeUnknown"
    assert type(events[-1]).__name__ == ending
    if isinstance(events[-1], RecoveryFailed):
        assert events[-1].outcome_unknown
        assert "look yourself" in events[-1].reason


def test_an_intent_says_what_to_do_until_when_as_which_attempt() -> None:
    story = Story(RECOVERY)
    events = story.give(start(step("db", arguments={"force": "yes"})))
    assert isinstance(events[-1], EffectIntended)
    intent = events[-1].intent
    assert (intent.effect, intent.executor, intent.attempt) == ("process.restart", "x", 1)
    assert intent.deadline == later(10)
    assert intent.arguments == {"service": "db", "verify_seconds": 20.0, "force": "yes"}
    assert story.names(ReportProgress(number=1, step="stopped")) == ["EffectProgressed"]


def test_it_stops_before_its_next_step_when_it_is_cancelled() -> None:
    story = Story(RECOVERY)
    story.give(start(step("db")))
    cancel = CancelRecovery(by="ann", reason="I do it")
    assert story.names(cancel) == ["EffectCancelRequested"]
    assert story.give(cancel) == []
    assert story.state.intents.cancelled == (1,)
    assert story.names(report("cancelled")) == ["EffectCancelled", "RecoveryCancelled"]
    assert story.declines(cancel) == "the recovery does not run"


@pytest.mark.parametrize("mode", ["approval", "automatic"])
def test_what_waits_is_cancelled_at_once(mode: str) -> None:
    story = Story(RECOVERY)
    story.give(start(step("db", effect="none"), mode=mode))
    assert story.names(CancelRecovery(by="ann", reason="x")) == ["RecoveryCancelled"]


def test_what_waits_is_withdrawn_and_what_was_allowed_goes_on() -> None:
    """A restart that is withdrawn between its stop and its start would leave a service stopped."""
    story = Story(RECOVERY)
    story.give(start(step("db"), mode="approval"))
    withdraw = WithdrawRecovery(by="policy:mend", reason="healthy again without it")
    allowed = Story(RECOVERY)
    allowed.give(start(step("db"), mode="approval"))
    allowed.give(ApproveRecovery(by="ann"))
    assert story.names(withdraw) == ["RecoveryCancelled"]
    assert allowed.declines(withdraw) == "the recovery does not wait for approval"


def test_health_that_is_known_changes_nothing_and_none_is_taken_after_the_end() -> None:
    story = Story(RECOVERY)
    assert "does not run" in story.declines(healthy("db"))
    story.give(start(step("db"), step("app"), healthy=("app",)))
    assert story.give(healthy("app")) == []
    assert story.names(healthy("app", is_healthy=False)) == ["RecoveryServiceReported"]


def test_a_plan_without_steps_is_no_plan() -> None:
    with pytest.raises(ValidationError):
        start()
