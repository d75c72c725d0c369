"""What may be old is NO DATA: the pulse, the spool and the watchdog say so, and not the rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from standfast.emergency.records import Began, Concluded
from standfast.emergency.spool import SPOOL, Spool
from standfast.freshness import STALE, FreshnessReader
from standfast.paths import StateDirectory
from standfast.watchdog.pulse import Pulse, PulseFile
from standfast.watchdog.status import STATUS, OpenPage, WatchdogStatus, write_status

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
AWAY = NOW - timedelta(seconds=30)


@pytest.fixture
def directory(tmp_path: Path) -> StateDirectory:
    return StateDirectory.make(tmp_path)


def beat(directory: StateDirectory, moment: datetime) -> None:
    PulseFile(directory.pulse).write(Pulse(beat=moment, sequence=1))


def rows(**states: str) -> list[dict[str, Any]]:
    return [
        {"id": name, "state": state.replace("_", " "), "since": "", "reason": ""}
        for name, state in states.items()
    ]


def states(found: list[dict[str, Any]]) -> dict[str, str]:
    return {row["id"]: row["state"] for row in found}


def test_rows_say_how_it_is_while_the_heart_beats(directory: StateDirectory) -> None:
    beat(directory, NOW - timedelta(seconds=2))
    found = FreshnessReader(directory).read(NOW)
    assert (found.reasons, found.since, found.as_of) == ((), None, "")
    assert found.of(rows(db="healthy", app="down")) == rows(db="healthy", app="down")


def test_without_a_heartbeat_what_was_healthy_is_no_data(directory: StateDirectory) -> None:
    reader = FreshnessReader(directory)
    assert "was heard" in reader.read(NOW).reasons[0]
    beat(directory, NOW - STALE - timedelta(seconds=1))
    found = reader.read(NOW)
    assert "since 11:59:44 UTC" in found.reasons[0]
    shown = found.of(rows(db="healthy", app="down", web="unknown"))
    assert list(states(shown).items()) == [("app", "down"), ("db", "no data"), ("web", "unknown")]
    shown = shown[1:]
    assert shown[0]["reason"] == "it was healthy at 2026-11-25 11:59:44 UTC"
    assert shown[0]["since"] == "2026-11-25T11:59:44.000000Z"
    beat(directory, NOW)
    assert reader.read(NOW).reasons == ()


def test_what_the_prober_saw_go_down_without_the_log_is_down(directory: StateDirectory) -> None:
    beat(directory, NOW)
    began = Began(outage="1", since=AWAY, reason="its disk is full", services=3)
    down = Concluded(service="db", verdict="down", since=AWAY, observed=NOW, reason="refused")
    back = Concluded(service="app", verdict="healthy", since=AWAY, observed=NOW)
    spool = Spool(directory.emergency / SPOOL)
    spool.append(*(one.model_dump(mode="json") for one in (began, down, back)))
    spool.close()
    found = FreshnessReader(directory).read(NOW)
    assert found.reasons == ("the log takes nothing since 11:59:30 UTC: its disk is full",)
    shown = found.of(rows(db="healthy", app="down", web="healthy"))
    assert states(shown) == {"db": "down", "app": "down", "web": "no data"}
    assert (shown[0]["reason"], shown[0]["since"]) == ("refused", "2026-11-25T11:59:30.000000Z")


def test_nothing_is_known_of_now_where_nothing_runs(directory: StateDirectory) -> None:
    beat(directory, NOW)
    found = FreshnessReader(directory).read(NOW, running=False)
    assert states(found.of(rows(db="healthy"))) == {"db": "no data"}
    assert found.as_of == "2026-11-25 12:00:00 UTC"


def test_pages_are_those_of_a_watchdog_that_watches(directory: StateDirectory) -> None:
    beat(directory, NOW)
    directory.watchdog.mkdir()
    page = OpenPage(alert="LogAway", summary="the log", opened=AWAY, heard=("team",))
    for written, pages in ((NOW, (page,)), (NOW - STALE * 2, ())):
        status = WatchdogStatus(written=written, heard=None, is_fresh=True, pages=(page,))
        write_status(directory.watchdog / STATUS, status)
        assert FreshnessReader(directory).read(NOW).pages == pages
