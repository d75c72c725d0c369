"""The watchdog's journal keeps the order of its notes, and what is owed, whatever its disk does."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from standfast.emergency.spool import read_spool
from standfast.watchdog import journal as module
from standfast.watchdog.journal import Journal, has_yielded, notices_told
from standfast.watchdog.pages import (
    Changed,
    Closed,
    Note,
    Notice,
    Opened,
    Page,
    Telling,
    Told,
    Yielded,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FIRING = Notice(status="firing")


def opened(name: str) -> Opened:
    page = Page(
        id=name,
        alert=f"ServiceDown:{name}",
        labels={},
        annotations={"summary": f"{name} is down"},
        receivers=("team",),
        opened=NOW,
    )
    return Opened(page=page)


def told(name: str, status: str = "firing", level: int = 0) -> Told:
    notice = Notice.model_validate({"status": status, "level": level})
    return Told(id=name, receiver="team", notice=notice, at=NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Have every write hang until this is set."""
    monkeypatch.setattr(module, "WRITE_SECONDS_MAX", 0.05)
    going, sync = threading.Event(), os.fdatasync

    def wait(file: int) -> None:
        assert going.wait(20)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", wait)
    yield going
    going.set()


def summaries(path: Path) -> list[str]:
    return [one["page"]["annotations"]["summary"] for one in read_spool(path) if "page" in one]


async def test_notes_keep_their_order_through_a_disk_that_hangs(
    path: Path, hanging: threading.Event
) -> None:
    journal, threads = Journal(path), threading.active_count()
    names = [str(number) * (1 + number % 3) for number in range(30)]
    began = time.monotonic()
    for name in names:
        await journal.write(opened(name))
    assert time.monotonic() - began < 1, "only the first is waited for"
    assert threading.active_count() <= threads + 1
    assert list(journal.memory.pages) == names
    hanging.set()
    await until(lambda: len(read_spool(path)) == len(names))
    assert summaries(path) == [f"{name} is down" for name in names]
    await journal.close()
    assert list(Journal(path).memory.pages) == names


async def test_what_did_not_fit_into_the_queue_is_written_when_the_disk_goes_on(
    path: Path, hanging: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    journal = Journal(path)
    for number in range(10):
        await journal.write(opened(str(number)))
    hanging.set()
    await until(lambda: len(read_spool(path)) >= 4)
    await journal.write(told("9"))
    await journal.close()
    again = Journal(path).memory
    assert list(again.pages) == [str(number) for number in range(10)]
    assert again == journal.memory


async def test_what_the_disk_refused_is_written_with_the_next_note(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, write = Journal(path), os.pwrite
    await journal.write(opened("a"))
    monkeypatch.setattr(os, "pwrite", lambda file, content, place: write(file, content[:9], place))
    await journal.write(opened("b"))
    monkeypatch.setattr(os, "pwrite", write)
    await journal.write(opened("c"))
    await journal.close()
    assert list(Journal(path).memory.pages) == ["a", "b", "c"]


async def test_a_full_journal_still_knows_who_was_told_and_what_was_yielded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", 8192)
    journal = Journal(path)
    notes: list[Note] = [
        opened("over"),
        told("over"),
        Closed(id="over", at=NOW),
        told("over", "resolved"),
        opened("owed"),
        told("owed"),
        Yielded(outage="o"),
        told("owed", level=1),
        Telling(id="owed", receiver="team", notice=Notice(status="firing", level=2)),
    ]
    await journal.write(*notes)
    changes = 120
    for number in range(changes):
        await journal.write(Changed(id="owed", annotations={"summary": f"change {number}"}))
    assert journal.memory.pages["owed"].annotations["summary"] == f"change {changes - 1}"
    records = read_spool(path)
    assert len(records) < changes, "it was written anew"
    assert [sent.key for sent in notices_told(records)] == [
        "told.over.team.firing.0",
        "told.over.team.resolved.0",
        "told.owed.team.firing.0",
        "told.owed.team.firing.1",
    ]
    assert has_yielded(records, "o")
    await journal.close()
    assert Journal(path).memory == journal.memory


async def test_what_is_owed_is_kept_before_what_is_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", 8192)
    journal = Journal(path)
    await journal.write(opened("owed"), told("owed"))
    for number in range(100):
        name = f"over-{number}"
        await journal.write(opened(name), Closed(id=name, at=NOW))
    await journal.close()
    pages = list(Journal(path).memory.pages)
    assert pages[0] == "owed"
    assert pages[-1] == "over-99"
    assert len(pages) < 100


async def test_what_is_forgotten_is_gone(path: Path) -> None:
    journal = Journal(path)
    await journal.write(opened("a"), Yielded(outage="o"))
    journal.forget()
    await until(lambda: read_spool(path) == [])
    await journal.write(opened("b"))
    await journal.close()
    assert list(Journal(path).memory.pages) == ["b"]
