"""A verdict takes so many like results in a row; silence and distrust are NO DATA, never down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.series import Reading, probe_rows, readings_of
from evaluation.thresholds import (
    Conclusion,
    Failing,
    Succeeding,
    Track,
    Undecided,
    Watch,
    conclude,
    distrusted,
    observe,
    verdict_on,
    window_of,
)
from events.service import CheckSchedule
from events.telemetry import Row, Vantage, batch_of, decode_batch, encode_batch, labels_of

START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SCHEDULE = CheckSchedule(name="http", interval_seconds=10, timeout_seconds=5)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def reading(seconds: float, good: bool, sequence: int = 0) -> Reading:
    return Reading(at(seconds), good, 0.01, "" if good else f"failed at {seconds:g}", sequence)


def play(
    results: str,
    track: Track | None = None,
    start: float = 0,
    schedule: CheckSchedule = SCHEDULE,
) -> Track:
    """Play results, 10 s apart: `S` for a success, `F` for a failure, `.` for none."""
    track = track or Track()
    for turn, result in enumerate(results):
        moment = start + 10 * turn
        if result != ".":
            seen = reading(moment, result == "S", int(moment))
            track = observe(track, seen, at(moment), schedule)
    return track


def concluded(now: float, since: float = 0, **tracks: Track) -> Conclusion | None:
    watches = {name: Watch(SCHEDULE, track, at(since)) for name, track in tracks.items()}
    return conclude(watches, at(now))


@pytest.mark.parametrize(
    ("results", "judgement"),
    [
        ("", Undecided()),
        ("S", Succeeding(at(0), 0)),
        ("F", Undecided()),
        ("FF", Undecided()),
        ("FFF", Failing(at(0), 0)),
        ("FFS", Succeeding(at(20), 20)),
        ("SFF", Succeeding(at(0), 0)),
        ("SFFSFF", Succeeding(at(0), 0)),
        ("SFFF", Failing(at(10), 10)),
        ("SFFFFF", Failing(at(10), 10)),
        ("SFFFS", Failing(at(10), 10)),
        ("SFFFSF", Failing(at(10), 10)),
        ("SFFFSFSS", Succeeding(at(60), 60)),
        ("SFFFSSSSSS", Succeeding(at(40), 40)),
    ],
)
def test_like_results_in_a_row_make_the_judgement(results: str, judgement: object) -> None:
    assert play(results).judgement == judgement


def test_a_silence_longer_than_the_window_begins_the_count_anew() -> None:
    assert play("SFF" + "..." + "F").judgement == Undecided()
    assert play("SFF" + ".." + "F").judgement == Failing(at(10), 10)
    after = play("SFFF" + "...." + "S")
    assert after.judgement == Undecided(was_failing=True)
    assert play("S", after, start=90).judgement == Succeeding(at(80), 80)
    assert play("SFFF....FFF").judgement == Failing(at(80), 80)


def test_a_result_counts_once_and_a_late_one_not_at_all() -> None:
    track = play("SFF")
    again = observe(track, reading(20, good=False), at(21), SCHEDULE)
    late = observe(track, reading(15, good=False), at(21), SCHEDULE)
    assert again is track
    assert late is track


def test_results_count_on_when_the_clock_was_set_back() -> None:
    track = observe(play("SFF"), reading(-3600, good=False), at(30), SCHEDULE)
    assert isinstance(track.judgement, Failing)


def test_a_window_is_three_intervals_or_room_for_two_time_outs() -> None:
    assert window_of(SCHEDULE) == timedelta(seconds=30)
    slow = CheckSchedule(name="slow", interval_seconds=10, timeout_seconds=60)
    assert window_of(slow) == timedelta(seconds=130)


def test_a_service_is_down_when_any_check_fails_and_the_first_is_blamed() -> None:
    conclusion = concluded(50, a=play("SSFFF"), b=play("SFFFF"), c=Track())
    assert conclusion is not None
    assert conclusion.verdict == "down"
    assert (conclusion.check, conclusion.reason) == ("b", "failed at 40")
    assert (conclusion.since, conclusion.observed) == (at(10), at(40))
    assert (conclusion.first, conclusion.last) == (10, 40)
    assert [seen.time for _, seen in conclusion.recent] == [at(10 * turn) for turn in range(5)]


def test_a_service_is_healthy_only_when_all_checks_succeed() -> None:
    assert concluded(20, a=play("S"), b=play("F")) is None
    conclusion = concluded(30, a=play("S.S"), b=play("F.S"))
    assert conclusion is not None
    assert (conclusion.verdict, conclusion.since) == ("healthy", at(20))
    assert (conclusion.first, conclusion.last, len(conclusion.recent)) == (0, 20, 4)


def test_a_silent_check_is_no_data_unless_another_fails() -> None:
    silent = play("SS")
    assert verdict_on([Watch(SCHEDULE, silent, at(0))], at(40)) == "healthy"
    conclusion = concluded(41, a=silent, b=play("SSSSS"))
    assert conclusion is not None
    assert (conclusion.verdict, conclusion.check) == ("no data", "a")
    assert (conclusion.since, conclusion.observed) == (at(10), at(41))
    assert conclusion.reason == "no result of check a for 30 s"
    failing = concluded(41, a=silent, b=play("SSFFF"))
    assert failing is not None
    assert failing.verdict == "down"


def test_a_failing_check_that_falls_silent_is_no_data() -> None:
    conclusion = concluded(61, a=play("SFFF"))
    assert conclusion is not None
    assert conclusion.verdict == "no data"


def test_nothing_is_missed_before_it_could_be_expected() -> None:
    assert concluded(1000, since=971, a=Track()) is None
    conclusion = concluded(1002, since=971, a=Track())
    assert conclusion is not None
    assert (conclusion.verdict, conclusion.first, conclusion.recent) == ("no data", 0, ())
    assert conclusion.since == at(971)


def test_distrusted_results_count_for_nothing_and_are_named() -> None:
    track = play("SS")
    for _ in range(9):
        track = distrusted(track, "the prober lagged")
    conclusion = concluded(41, a=track)
    assert conclusion is not None
    assert conclusion.verdict == "no data"
    assert conclusion.reason == "no trusted result of check a for 30 s: the prober lagged"
    assert play("S", track, start=30).distrust == ""


def test_an_excerpt_holds_the_last_ten_results_of_all_checks() -> None:
    conclusion = concluded(300, a=play("S" * 30), b=play("S" * 30))
    assert conclusion is not None
    assert len(conclusion.recent) == 10
    assert [name for name, _ in conclusion.recent[-2:]] == ["a", "b"]


def expected_judgement(results: list[bool], failures: int, successes: int) -> str:
    """Judge by looking back over all results, the slow and plain way."""
    judgement = "undecided"
    for end in range(1, len(results) + 1):
        seen = results[:end]
        needed = successes if judgement == "failing" else 1
        if all(seen[-needed:]) and len(seen) >= needed:
            judgement = "succeeding"
        if not any(seen[-failures:]) and len(seen) >= failures:
            judgement = "failing"
    return judgement


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4), st.integers(1, 4))
def test_any_history_is_judged_as_by_looking_back(
    results: list[bool], failures: int, successes: int
) -> None:
    schedule = SCHEDULE.model_copy(
        update={"failure_threshold": failures, "success_threshold": successes}
    )
    track = play("".join("S" if result else "F" for result in results), schedule=schedule)
    assert type(track.judgement).__name__.lower() == expected_judgement(
        results, failures, successes
    )


@given(st.lists(st.sampled_from("SF."), max_size=60), st.integers(0, 600))
def test_no_history_of_successes_and_silence_is_ever_down(results: list[str], now: int) -> None:
    track = play("".join(results).replace("F", "."))
    assert verdict_on([Watch(SCHEDULE, track, START)], at(now)) != "down"


def test_samples_become_readings_again() -> None:
    vantage = Vantage("p", "c", "prober", "b")
    rows = [
        *probe_rows("web", "http", at(0), succeeded=True, seconds=0.25, reason=""),
        *probe_rows("web", "http", at(1), succeeded=False, seconds=0.5, reason="status 503"),
        *probe_rows("db", "tcp", at(1), succeeded=True, seconds=0.75, reason=""),
        Row(labels_of("up"), at(1), 1.0),
        Row(labels_of("probe_success", service="odd", check="x"), at(1), 0.5),
    ]
    batch = decode_batch(encode_batch(batch_of(vantage, rows)))
    assert list(readings_of(batch, 7)) == [
        ("web", "http", Reading(at(0), True, 0.25, "", 7)),
        ("web", "http", Reading(at(1), False, 0.5, "status 503", 7)),
        ("db", "tcp", Reading(at(1), True, 0.75, "", 7)),
    ]
