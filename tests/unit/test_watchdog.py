"""One fault is one page: who is gone is told as impairment only while the heart beats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from standfast.config.model import Configuration
from standfast.paths import StateDirectory
from standfast.runtime import Runtime, Situation
from standfast.watchdog.faults import IMPAIRED, SILENT
from standfast.watchdog.pulse import Pulse, PulseFile
from standfast.watchdog.sight import Absence, Sight
from standfast.watchdog.watchdog import Watchdog

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
RUNTIME = Runtime(log_url="", log_token="", platform="p", cell="c", build="b")


@dataclass
class SteppedClock:
    """A clock that a test moves."""

    seconds: float = 0.0
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return NOW + self.ahead + timedelta(seconds=self.seconds)

    def monotonic_seconds(self) -> float:
        return self.seconds


async def watch(directory: Path, monkeypatch: pytest.MonkeyPatch, last_beat: int) -> list[str]:
    """Have the supervisor go after 1 s, and the heart beat until some second; gives the pages."""
    clock, state = SteppedClock(), StateDirectory(directory)
    watchdog = Watchdog(Situation(state, RUNTIME, Configuration()), clock)
    gone = Absence("supervisor", is_stopped=False, since=NOW, since_seconds=1.0)

    def look(_sight: Sight) -> None:
        watchdog._sight.absent = {"supervisor": gone} if clock.seconds >= 1 else {}

    monkeypatch.setattr(Sight, "look", look)
    for half in range(80):
        clock.seconds = half / 2
        if clock.seconds <= last_beat:
            PulseFile(state.pulse).write(Pulse(beat=clock.now(), sequence=half))
        await watchdog._look()
    pages = [page.alert for page in watchdog.desk.open_pages()]
    await watchdog.desk.stop()
    return pages


async def test_all_that_goes_at_once_is_silence_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last beats are heard after the first process was killed."""
    assert await watch(tmp_path, monkeypatch, last_beat=4) == [SILENT]


async def test_who_goes_while_the_heart_beats_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await watch(tmp_path, monkeypatch, last_beat=100) == [IMPAIRED]


def test_a_wall_clock_that_steps_makes_nobody_absent_for_longer(tmp_path: Path) -> None:
    """Some process is just being started anew as the clock is put an hour forward, or back."""
    (tmp_path / "processes").mkdir()
    clock = SteppedClock()
    sight = Sight(StateDirectory(tmp_path), clock=clock)
    for seconds, ahead in ((0, 0), (1, 1), (2, -1)):
        clock.seconds, clock.ahead = seconds, timedelta(hours=ahead)
        sight.look()
        assert "prober" in sight.absent
        assert sight.absent_for(30) == []
    clock.seconds = 31
    sight.look()
    assert "prober" in {one.name for one in sight.absent_for(30)}
