"""What is concluded holds at the moment up to which was read; after a standstill all warm up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evaluation.series import probe_rows
from evaluation.watching import GAP, Watching
from events.service import CheckSchedule
from events.telemetry import Batch, Row, Vantage, batch_of, labels_of

START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
CHECK = CheckSchedule(name="http", interval_seconds=10, timeout_seconds=5)
VANTAGE = Vantage("p", "c", "prober", "b")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def seen(seconds: float, *, good: bool, service: str = "web", check: str = "http") -> Batch:
    rows = probe_rows(service, check, at(seconds), succeeded=good, seconds=0.1, reason="")
    return batch_of(VANTAGE, rows)


def beat(seconds: float) -> Batch:
    return batch_of(VANTAGE, [Row(labels_of("beat"), at(seconds), 1.0)])


class Log:
    """The telemetry as it is stored, second by second, read by one `Watching`."""

    def __init__(self, watching: Watching) -> None:
        self.watching = watching
        self.sequence = 0

    def store(self, batch: Batch, seconds: float, pending: int = 0) -> set[str]:
        self.sequence += 1
        return self.watching.take(batch, self.sequence, at(seconds), pending)

    def beats(self, start: int, end: int, pending: int = 0) -> None:
        for second in range(start, end):
            self.store(beat(second), second, pending)


def watched() -> tuple[Watching, Log]:
    watching = Watching()
    watching.configure("web", [CHECK], START, was_down=False)
    return watching, Log(watching)


def test_a_batch_touches_the_services_it_speaks_of_and_no_strangers() -> None:
    watching, log = watched()
    assert log.store(seen(0, good=True), 0) == {"web"}
    assert log.store(seen(1, good=True, service="stranger"), 1) == set()
    assert log.store(seen(1, good=True, check="stranger"), 1) == set()
    assert watching.verdict("web") == "healthy"
    assert watching.verdict("stranger") is None


def test_silence_is_noticed_by_the_heartbeats_alone() -> None:
    watching, log = watched()
    log.store(seen(0, good=True), 0)
    log.beats(1, 31)
    assert watching.verdict("web") == "healthy"
    log.beats(31, 32)
    assert watching.verdict("web") == "no data"


def test_a_standstill_of_the_horizon_concludes_nothing_and_starts_the_windows_anew() -> None:
    watching, log = watched()
    log.store(seen(0, good=True), 0)
    log.beats(1, 30)
    log.beats(100, 131)
    assert watching.verdict("web") == "healthy"
    log.beats(131, 132)
    assert watching.verdict("web") == "no data"


def test_a_short_standstill_changes_nothing() -> None:
    watching, log = watched()
    log.store(seen(0, good=True), 0)
    log.beats(1, 20)
    log.beats(20 + int(GAP.total_seconds()) - 1, 32)
    assert watching.verdict("web") == "no data"


def test_nothing_is_concluded_while_much_is_unread() -> None:
    watching, log = watched()
    for turn in range(3):
        log.store(seen(turn, good=False), turn, pending=10_000)
    assert watching.verdict("web") is None
    assert watching.conclude("web") is None
    log.beats(3, 4)
    assert watching.verdict("web") == "down"


def test_after_a_refill_every_window_is_whole_again() -> None:
    watching, log = watched()
    log.store(seen(0, good=True), 0, pending=10_000)
    log.beats(1, 100, pending=10_000)
    log.beats(100, 131)
    assert watching.verdict("web") == "healthy"
    log.beats(131, 132)
    assert watching.verdict("web") == "no data"


def test_an_unchanged_check_keeps_its_count_and_a_service_that_was_down_needs_more() -> None:
    watching, log = watched()
    log.store(seen(0, good=False), 0)
    log.store(seen(1, good=False), 1)
    watching.configure("web", [CHECK], at(1), was_down=False)
    log.store(seen(2, good=False), 2)
    assert watching.verdict("web") == "down"
    changed = CHECK.model_copy(update={"interval_seconds": 20.0})
    watching.configure("web", [changed], at(2), was_down=True)
    log.store(seen(3, good=True), 3)
    assert watching.verdict("web") is None
    log.store(seen(4, good=True), 4)
    assert watching.verdict("web") == "healthy"
    watching.retire("web")
    assert watching.verdict("web") is None


def test_the_refill_reaches_back_as_far_as_counts_do() -> None:
    watching, _ = watched()
    assert watching.refill_window() == timedelta(seconds=60)
    slow = CheckSchedule(name="slow", interval_seconds=3600, failure_threshold=10)
    watching.configure("slow", [slow], START, was_down=False)
    assert watching.refill_window() == timedelta(hours=6)
    assert Watching().refill_window() == timedelta(minutes=1)
