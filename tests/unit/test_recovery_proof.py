"""A recovery believes what was seen after it acted, and turns back for who is down again."""

from __future__ import annotations

from actors.base import Tick
from actors.recovery import RECOVERY, ReportSightLost
from events.recovery import RecoveryFailed
from tests.deciding import Story
from tests.recovering import acted, healthy, known, report, start, step

PROVEN = ["RecoveryServiceReported", "RecoveryStepVerified", "RecoverySucceeded"]
WAITING = ["RecoveryStepBegan", "RecoveryStepActed"]
APP = step("app", wait_first=True, attempts_max=2)


def test_health_of_before_the_act_proves_nothing() -> None:
    story = Story(RECOVERY)
    story.give(start(step("db")))
    assert story.names(healthy("db"), 1) == ["RecoveryServiceReported"]
    assert story.names(report("succeeded"), 5) == ["EffectSucceeded", "RecoveryStepActed"]
    assert story.give(healthy("db"), 6) == [], "it was on its way when the recovery acted"
    assert story.is_in == "Verifying"
    assert story.names(known(story), 6) == ["RecoveryServiceReported"]
    assert story.names(healthy("db"), 7) == PROVEN


def test_who_never_was_seen_down_is_proven_when_its_time_is_over() -> None:
    story = acted(step("db"))
    again = acted(step("db", attempts_max=2))
    again.give(healthy("db", is_healthy=False), 3)
    assert again.names(Tick(), 20)[0] == "RecoveryStepFailed", "it went down meanwhile"
    steady = Story(RECOVERY)
    steady.give(start(step("db")))
    steady.give(report("succeeded"))
    assert steady.names(known(steady, "db"), 1) == ["RecoveryServiceReported"]
    assert steady.give(Tick(), 19) == []
    assert steady.names(Tick(), 20) == PROVEN[1:]
    assert story.names(Tick(), 20) == ["RecoveryStepFailed", "RecoveryFailed"]


def test_who_goes_down_after_the_act_must_come_back() -> None:
    story = Story(RECOVERY)
    story.give(start(step("db")))
    story.give(report("succeeded"))
    story.give(known(story, "db"))
    assert story.names(healthy("db", is_healthy=False), 2) == ["RecoveryServiceReported"]
    assert story.names(healthy("db"), 4) == PROVEN


def test_what_was_known_as_of_an_older_act_says_nothing_of_this_one() -> None:
    story = Story(RECOVERY)
    story.give(start(step("db", attempts_max=2)))
    story.give(report("succeeded"))
    old = known(story, "db")
    story.give(Tick(), 20)
    assert story.give(old, 21) == []
    story.give(report("succeeded", 2), 22)
    assert story.give(old, 23) == []
    assert story.names(Tick(), 42) == ["RecoveryStepFailed", "RecoveryFailed"]


def test_an_effect_that_failed_was_not_needed_where_the_checks_say_so_for_its_time() -> None:
    story = Story(RECOVERY)
    story.give(start(step("db")))
    story.give(healthy("db"), 1)
    assert story.names(report("failed"), 2) == ["EffectFailed", "RecoveryStepActed"]
    story.give(known(story, "db"), 2)
    assert story.names(Tick(), 22) == PROVEN[1:]


def test_a_step_that_waits_rests_on_what_was_known_when_it_began() -> None:
    story = acted(step("db"), APP)
    assert story.names(healthy("db"), 1)[-2:] == WAITING
    assert story.give(healthy("app"), 1) == [], "what is known as of its beginning comes first"
    assert story.names(known(story, "db", "app"), 1) == PROVEN


def test_who_is_down_again_is_mended_again_before_what_comes_after_it() -> None:
    story = acted(step("db", attempts_max=2), APP)
    story.give(healthy("db"), 1)
    story.give(known(story, "db"), 1)
    down = story.names(healthy("db", is_healthy=False), 3)
    again = ["RecoveryStepFailed", "RecoveryStepBegan", "EffectIntended"]
    assert down == ["RecoveryServiceReported", *again]
    assert (story.state.step, story.state.attempt) == (0, 2)
    story.give(report("succeeded", 2), 4)
    story.give(known(story), 4)
    assert story.names(healthy("db"), 5)[-2:] == WAITING
    story.give(known(story, "db"), 5)
    assert story.names(healthy("app"), 6) == PROVEN


def test_who_is_down_again_and_again_is_mended_no_more_often_than_it_may() -> None:
    story = acted(step("db"), APP)
    story.give(healthy("db"), 1)
    events = story.give(healthy("db", is_healthy=False), 3)
    assert isinstance(events[-1], RecoveryFailed)
    assert events[-1].reason == "db is not healthy after 1 tries"


def test_what_fails_again_by_itself_may_heal_by_itself_again() -> None:
    """The middle one is waited for again; the last one has its proof by then."""
    story = acted(step("db"), step("api", effect="none"), step("app", effect="none"))
    story.give(healthy("db"), 1)
    story.give(known(story, "db"), 1)
    assert story.names(healthy("api"), 2)[-2:] == WAITING
    story.give(known(story, "db", "api"), 2)
    names = story.names(healthy("api", is_healthy=False), 3)
    assert names == ["RecoveryServiceReported", "RecoveryStepFailed", *WAITING]
    assert (story.state.step, story.state.attempt) == (1, 1)
    story.give(known(story, "db"), 3)
    assert story.names(healthy("app"), 3) == ["RecoveryServiceReported"]
    assert story.names(healthy("api"), 4) == [*PROVEN[:2], "RecoveryStepVerified", PROVEN[2]]


def test_it_turns_back_when_its_act_is_done_and_forgets_what_that_did_not_prove() -> None:
    story = acted(step("db", attempts_max=2), APP)
    story.give(healthy("db"), 1)
    story.give(known(story, "db"), 1)
    story.give(Tick(), 21)
    assert story.is_in == "Acting"
    assert story.names(healthy("db", is_healthy=False), 22) == ["RecoveryServiceReported"]
    names = story.names(report("succeeded", 2), 23)
    assert names[:3] == ["EffectSucceeded", "RecoveryStepActed", "RecoveryStepFailed"]
    assert story.give(healthy("app"), 23) == [], "of before the act, or after it: nobody knows"
    story.give(report("succeeded", 3), 24)
    story.give(known(story, "app"), 24)
    assert story.names(healthy("db"), 25)[-2:] == WAITING, "the app has no proof yet"
    assert story.names(known(story, "db", "app"), 25) == PROVEN


def test_a_proof_outlives_what_nobody_sees() -> None:
    story = acted(step("db"), APP)
    story.give(healthy("db"), 1)
    story.give(known(story, "db"), 1)
    assert story.give(ReportSightLost(service="db"), 2) == []
    story.give(healthy("app"), 3)
    assert story.state.outcome == "succeeded"
    blind = Story(RECOVERY)
    blind.give(start(step("db")))
    blind.give(report("succeeded"))
    blind.give(known(blind, "db"))
    assert blind.names(ReportSightLost(service="db"), 2) == ["RecoveryServiceReported"]
    assert blind.names(Tick(), 20)[0] == "RecoveryStepFailed"
