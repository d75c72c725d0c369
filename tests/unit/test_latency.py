"""The window of probes: bounded, in order, unsure where its watcher was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from events.telemetry import Row, Vantage, batch_of, labels_of
from projections.heartbeat import HeartbeatWindow
from projections.latency import LatencyWindow, points_json
from standfast.web.spark import spark

EPOCH = datetime(2026, 11, 25, tzinfo=UTC)
VANTAGE = Vantage(platform="p", cell="c", producer="prober", build="b")


def add(
    window: LatencyWindow, name: str, second: int, success: float = 1.0, vantage: Vantage = VANTAGE
) -> None:
    time = EPOCH + timedelta(seconds=second)
    labels = {"service": name, "check": "tcp"}
    window.add(
        batch_of(
            vantage,
            [
                Row(labels_of("probe_success", **labels), time, success),
                Row(labels_of("probe_duration_seconds", **labels), time, 0.001 * second),
                Row(labels_of("something_else", **labels), time, 1.0),
            ],
        )
    )


def test_only_the_last_sixty_probes_are_held_in_order() -> None:
    window = LatencyWindow()
    for second in range(1, 101):
        add(window, "a", second)
    points = window.points("a")
    assert [point.seconds for point in points] == [round(0.001 * s, 6) for s in range(41, 101)]
    assert points_json(points)[-1] == {
        "time": "2026-11-25T00:01:40.000Z",
        "seconds": 0.1,
        "success": True,
    }


def test_older_probes_and_other_series_change_nothing() -> None:
    window = LatencyWindow()
    add(window, "a", 5)
    add(window, "a", 3)
    assert [point.time.second for point in window.points("a")] == [5]
    assert window.points("nobody") == []


def test_probes_of_a_watcher_that_lagged_are_unsure() -> None:
    window = LatencyWindow()
    add(window, "a", 1, 0.0)
    add(window, "a", 2, 0.0, replace(VANTAGE, lagged=True))
    add(window, "a", 3, 0.0, replace(VANTAGE, canary_failed=True))
    assert [point.success for point in window.points("a")] == [False, None, None]


def test_the_longest_silent_makes_room() -> None:
    window = LatencyWindow(series_max=2)
    for second, name in enumerate(["a", "b", "a", "c"], 1):
        add(window, name, second)
    assert window.held() == [("a", "tcp"), ("c", "tcp")]
    assert window.points("b") == []
    assert window.checks("b") == []
    assert [point.time.second for point in window.points("c")] == [4]


def test_changes_are_told_in_portions_and_once() -> None:
    window = LatencyWindow()
    for second, name in enumerate(["a", "b", "c"], 1):
        add(window, name, second)
    names, revision = window.changed(0, 2)
    assert names == ["a", "b"]
    names, revision = window.changed(revision, 2)
    assert names == ["c"]
    assert window.changed(revision, 2) == ([], revision)


def test_bars_are_drawn_from_the_right_and_said_in_words() -> None:
    window = LatencyWindow()
    assert spark([]).words == "no probes seen yet"
    add(window, "a", 4)
    add(window, "a", 8, 0.0)
    add(window, "a", 9, 1.0, replace(VANTAGE, lagged=True))
    drawn = spark(window.values("a"))
    assert window.values("a") == [4.0, -1.0, None]
    assert drawn.failed == "M175 28V0"
    assert drawn.unsure == "M178 28V25"
    assert drawn.good.startswith("M172 28V")
    assert drawn.words == "last 3 probes: 1 failed, typically 4.0 ms"


def test_heartbeats_keep_the_last_of_each_process() -> None:
    heartbeats = HeartbeatWindow(processes_max=2)
    for second, name in enumerate(["web", "prober", "web", "evaluator"]):
        row = Row(labels_of("process_loop_lag_seconds"), EPOCH + timedelta(seconds=second), 0.25)
        heartbeats.add(batch_of(replace(VANTAGE, producer=name), [row]))
    assert [(h.process, h.time.second, h.lag_seconds) for h in heartbeats.all()] == [
        ("evaluator", 3, 0.25),
        ("web", 2, 0.25),
    ]
