"""Without the log the prober judges for itself, once for each change, also after it was killed."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Literal

from actors.runtime.service_book import Page
from actors.service import Down, Healthy, Unproven, Watched
from evaluation.series import Reading
from events.base import Excerpt
from events.service import ServiceSettings, TcpCheck
from standfast.emergency.diagnosis import Diagnosis
from standfast.emergency.emergency import Emergency
from standfast.emergency.outage_spool import OutageSpool
from standfast.emergency.reading import OutageReader
from standfast.emergency.records import Began, Concluded, LostAgain, Outage, Returned, outage_in
from standfast.emergency.spool import SPOOL, read_spool

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from actors.service import Health

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
BEGAN = Began(outage="o", since=NOW, reason="it hangs", services=1)
CHECK = TcpCheck(name="port", port=1, interval_seconds=1, failure_threshold=3)
SETTINGS = ServiceSettings(checks=(CHECK,), startup_seconds=5)


def page(health: Health, *, configured_seconds: float = -3600) -> Page:
    state = Watched(settings=SETTINGS, configuration_hash="", health=health)
    return Page(state, 1, at(configured_seconds), at(configured_seconds))


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class Prober:
    """An emergency and the results that are counted in it."""

    def __init__(self, directory: Path, *services: str, was_down: bool = False) -> None:
        self.emergency = Emergency(directory)
        self.pages = {name: page(Healthy(since=at(-60))) for name in services}
        for name in services:
            self.emergency.judge.configure(name, (CHECK,), at(-60), was_down=was_down)

    def see(self, service: str, start: float, results: str, distrust: str = "") -> None:
        """Count results, `+` or `-`, one a second."""
        for place, result in enumerate(results):
            reading = Reading(at(start + place), result == "+", 0.01, "refused", 0)
            self.emergency.judge.count(service, "port", reading, distrust)

    def overdue(self, seconds: float) -> float:
        return self.emergency.judge.overdue_seconds(self.pages, seconds)

    def begin(self, seconds: float = 0.0) -> None:
        self.emergency.begin(at(seconds), Diagnosis("it hangs"), self.pages)
        self.emergency.settle(5)

    @property
    def said(self) -> list[tuple[str, str]]:
        self.emergency.conclude(self.pages)
        self.emergency.settle(5)
        assert self.emergency.outage is not None
        return [(one.service, one.verdict) for one in self.emergency.outage.conclusions]


def test_what_the_log_does_not_say_is_overdue(tmp_path: Path) -> None:
    prober = Prober(tmp_path, "db")
    prober.see("db", 0, "++--")
    assert prober.overdue(100) == 0
    prober.see("db", 4, "-")
    assert prober.overdue(101) == 0
    assert prober.overdue(112) == 11
    prober.pages["db"] = page(Down(since=at(2), reason=""))
    assert prober.overdue(113) == 0


def test_a_service_that_still_starts_is_not_overdue(tmp_path: Path) -> None:
    prober = Prober(tmp_path, "db")
    prober.pages["db"] = page(Unproven(), configured_seconds=-1)
    prober.see("db", 0, "----")
    assert prober.overdue(0) == prober.overdue(20) == 0
    prober.see("db", 4, "---")
    assert prober.overdue(21) == 0
    assert prober.overdue(32) == 11


def test_each_change_is_concluded_once(tmp_path: Path) -> None:
    prober = Prober(tmp_path, "db", "app")
    prober.see("app", 0, "+++++")
    prober.begin()
    prober.see("db", 0, "---")
    assert prober.said == [("db", "down")]
    prober.see("db", 3, "---")
    assert prober.said == [("db", "down")]
    prober.see("db", 6, "++")
    assert prober.said == [("db", "down"), ("db", "healthy")]
    outage = prober.emergency.outage
    assert outage is not None
    assert (outage.conclusions[0].since, outage.conclusions[0].observed) == (at(0), at(2))
    assert outage.conclusions[0].excerpt[-1].reason == "refused"
    assert outage.conclusions[1].since == at(6)


def test_what_was_seen_while_blind_counts_for_nothing(tmp_path: Path) -> None:
    prober = Prober(tmp_path, "db")
    prober.begin()
    prober.see("db", 0, "-----", distrust="the prober lagged")
    assert prober.said == []


def test_what_people_know_is_not_concluded_again_but_its_end_is(tmp_path: Path) -> None:
    prober = Prober(tmp_path, "db", was_down=True)
    prober.pages["db"] = page(Down(since=at(-300), reason=""))
    prober.begin()
    prober.see("db", 0, "---")
    assert prober.said == []
    prober.see("db", 3, "++")
    assert prober.said == [("db", "healthy")]


def test_what_failed_just_before_may_not_have_been_told(tmp_path: Path) -> None:
    prober = Prober(tmp_path, "db", was_down=True)
    prober.pages["db"] = page(Down(since=at(-3), reason="refused"))
    prober.begin()
    assert prober.said == [("db", "down")]


def test_a_successor_goes_on_where_a_killed_prober_ended(tmp_path: Path) -> None:
    first = Prober(tmp_path, "db", "old")
    first.pages["old"] = page(Down(since=at(-900), reason=""))
    first.begin()
    first.see("db", 0, "---")
    assert first.said == [("db", "down")]
    second = Prober(tmp_path, "db", "old", was_down=True)
    second.pages.clear()
    second.see("db", 3, "---")
    second.see("old", 3, "---")
    assert second.said == [("db", "down")]
    second.see("db", 6, "++")
    second.see("old", 6, "++")
    assert second.said == [("db", "down"), ("db", "healthy"), ("old", "healthy")]


def test_others_read_the_outage_until_it_ends(tmp_path: Path) -> None:
    prober, reader = Prober(tmp_path, "db"), OutageReader(tmp_path / SPOOL)
    assert reader.read() is None
    prober.begin()
    prober.see("db", 0, "---")
    assert prober.said
    assert reader.read() == prober.emergency.outage
    assert reader.speaks_of("db")
    assert not reader.speaks_of("app")
    prober.emergency.turn(Returned())
    prober.emergency.settle(5)
    assert (found := reader.read()) is not None
    assert found.returns
    prober.emergency.turn(LostAgain())
    prober.emergency.settle(5)
    assert (found := reader.read()) is not None
    assert not found.returns
    prober.emergency.end()
    prober.emergency.settle(5)
    assert reader.read() is None
    assert Emergency(tmp_path).outage is None


def test_two_writes_of_one_moment_are_both_read(tmp_path: Path) -> None:
    prober, reader = Prober(tmp_path, "db"), OutageReader(tmp_path / SPOOL)
    prober.begin()
    assert reader.read() is not None
    stamp = (tmp_path / SPOOL).stat().st_mtime_ns
    prober.see("db", 0, "---")
    assert prober.said
    os.utime(tmp_path / SPOOL, ns=(stamp, stamp))  # as a kernel's clock may have it
    assert reader.speaks_of("db")


def test_a_disk_that_hangs_holds_up_no_conclusion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prober, reader, going = Prober(tmp_path, "db"), OutageReader(tmp_path / SPOOL), Event()
    monkeypatch.setattr(os, "fdatasync", lambda _file: going.wait(20))
    began = time.monotonic()
    prober.emergency.begin(at(0), Diagnosis("it hangs"), prober.pages)
    prober.see("db", 0, "---")
    prober.emergency.conclude(prober.pages)
    assert time.monotonic() - began < 5
    assert prober.emergency.outage is not None
    assert prober.emergency.outage.newest["db"].verdict == "down"
    going.set()
    prober.emergency.settle(5)
    assert reader.read() == prober.emergency.outage


def test_what_the_disk_refused_is_written_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, write = OutageSpool(tmp_path / SPOOL), os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, content, place: write(file, content[:5], place))
    spool.keep(BEGAN)
    spool.settle(5)
    monkeypatch.setattr(os, "pwrite", write)
    assert outage_in(read_spool(tmp_path / SPOOL)) is None
    spool.keep(concluded("db", "down"))
    spool.settle(5)
    found = outage_in(read_spool(tmp_path / SPOOL))
    assert found == Outage(began=BEGAN, conclusions=(concluded("db", "down"),))


def test_a_spool_that_fills_up_keeps_less_of_each_and_then_the_number(tmp_path: Path) -> None:
    excerpt = Excerpt(time=NOW, check="port", succeeded=False, duration_seconds=1, reason="r" * 90)
    spool = OutageSpool(tmp_path / SPOOL, 512 * 1024)
    spool.keep(BEGAN)
    for number in range(2000):
        one = concluded(f"service-{number}", "down")
        spool.keep(one.model_copy(update={"excerpt": (excerpt,) * 5}))
    spool.keep(Returned(), LostAgain(), Returned())
    spool.settle(5)
    found = outage_in(read_spool(tmp_path / SPOOL))
    assert found is not None
    kept = len(found.conclusions)
    assert [one.service for one in found.conclusions] == [f"service-{n}" for n in range(kept)]
    assert len(found.conclusions[0].excerpt) == 5
    assert found.conclusions[-1].excerpt == ()
    assert (2000 - kept) / 2 < found.unkept <= 2000 - kept
    assert found.returns
    spool.forget()
    spool.settle(5)
    assert read_spool(tmp_path / SPOOL) == []


def concluded(service: str, verdict: Literal["healthy", "down"]) -> Concluded:
    return Concluded(service=service, verdict=verdict, since=NOW, observed=NOW, reason="refused")


def test_what_is_unreadable_in_a_spool_is_left_out() -> None:
    began = Began(outage="o", since=NOW, reason="", services=1)
    contents = [began.model_dump(), {"kind": "strange"}, 7, concluded("db", "down").model_dump()]
    assert outage_in(contents) == Outage(began=began, conclusions=(concluded("db", "down"),))
    assert outage_in([concluded("db", "down").model_dump()]) is None
