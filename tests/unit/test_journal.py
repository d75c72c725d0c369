"""What the journal has synced survives a kill at any byte; a torn tail hides nothing whole."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from effects.contract import Cancelled, Failed, Result, Succeeded, Unknown
from effects.journal import KEPT, MAGIC, Journal, JournalInUseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=15)


async def fill(journal: Journal) -> list[int]:
    """Note a whole life, and give the size of the file after each step."""
    notes: list[Callable[[], None]] = [
        lambda: journal.accept("a", b"errand", LATER),
        lambda: journal.begin("a", NOW),
        lambda: journal.end("a", Failed("no disk", permanent=True), 0.5),
        lambda: journal.report("a", "done: "),
        lambda: journal.accept("b", b"other", LATER),
        lambda: journal.cancel("b"),
    ]
    sizes = []
    for note in notes:
        note()
        await journal.sync()
        sizes.append(journal._path.stat().st_size)
    return sizes


def reopened(directory: Path) -> Journal:
    return Journal(directory)


async def test_gives_back_what_was_noted(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    await fill(journal)
    before = dict(journal.entries)
    journal.close()
    again = reopened(tmp_path)
    assert again.entries == before
    assert again.entries["a"].result == Failed("no disk", permanent=True)
    assert again.entries["b"].cancelled
    again.close()


@pytest.mark.parametrize(
    "result", [Succeeded("told"), Failed("no", undone=True), Cancelled("stop"), Unknown("?")]
)
async def test_keeps_every_kind_of_end(tmp_path: Path, result: Result) -> None:
    journal = Journal(tmp_path)
    journal.accept("a", b"errand", LATER)
    journal.end("a", result, 1.0)
    await journal.sync()
    journal.close()
    again = reopened(tmp_path)
    assert again.entries["a"].result == result
    again.close()


async def test_a_tail_torn_at_any_byte_is_cut_off_and_the_rest_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "whole")
    sizes = await fill(journal)
    journal.close()
    content = (tmp_path / "whole" / "journal").read_bytes()
    assert len(content) == sizes[-1]
    for length in range(len(content)):
        directory = tmp_path / "torn"
        directory.mkdir(exist_ok=True)
        (directory / "journal").write_bytes(content[:length])
        torn = Journal(directory)
        whole = sum(size <= length for size in sizes)
        assert len(torn.entries) == (0 if whole == 0 else 1 if whole < 5 else 2), length
        torn.accept("c", b"after", LATER)
        await torn.sync()
        torn.close()
        again = reopened(directory)
        assert "c" in again.entries
        again.close()


async def test_a_flipped_bit_ends_what_is_believed(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    sizes = await fill(journal)
    journal.close()
    path = tmp_path / "journal"
    content = bytearray(path.read_bytes())
    content[sizes[3] + 10] ^= 1
    path.write_bytes(content)
    again = reopened(tmp_path)
    assert set(again.entries) == {"a"}
    assert (tmp_path / "journal.torn").read_bytes() == content[sizes[3] :]
    again.close()


async def test_is_open_in_one_process_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with pytest.raises(JournalInUseError, match="another executor"):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


async def test_compacts_itself_and_loses_nothing_open(tmp_path: Path) -> None:
    journal = Journal(tmp_path, compact_bytes_min=2_000)
    for number in range(200):
        key = f"k{number}"
        journal.accept(key, b"errand" * 10, LATER)
        if number % 50:
            journal.begin(key, NOW)
            journal.end(key, Succeeded(), 0.1)
            journal.report(key, "done: ")
        await journal.sync()
        journal.forget(LATER + KEPT + timedelta(seconds=1))
    journal.accept("last", b"errand", LATER)
    await journal.sync()
    left = set(journal.entries)
    assert left == {"k0", "k50", "k100", "k150", "last"}
    assert journal._path.stat().st_size < 5_000
    journal.close()
    again = reopened(tmp_path)
    assert left <= set(again.entries)
    again.close()


async def test_remembers_what_was_reported_until_its_errand_would_be_too_late(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path)
    journal.accept("a", b"errand", LATER)
    journal.end("a", Succeeded(), 0.1)
    journal.report("a", "done: ")
    journal.forget(LATER)
    assert set(journal.entries) == {"a"}
    journal.forget(LATER + KEPT + timedelta(seconds=1))
    assert not journal.entries
    journal.end("a", Succeeded(), 0.1)
    assert not journal.entries
    journal.close()


async def test_many_waits_share_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []
    monkeypatch.setattr(os, "fdatasync", writes.append)
    journal = Journal(tmp_path)
    for number in range(100):
        journal.accept(f"k{number}", b"errand", LATER)
    await asyncio.gather(*[journal.sync() for _ in range(100)])
    assert len(writes) == 1
    journal.close()


async def test_a_disk_that_refuses_is_written_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    with monkeypatch.context() as patch:

        def refuse(_file: int) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(os, "fdatasync", refuse)
        journal.accept("a", b"errand", LATER)
        with pytest.raises(OSError, match="No space"):
            await journal.sync()
    journal.accept("b", b"errand", LATER)
    await journal.sync()
    journal.close()
    again = reopened(tmp_path)
    assert set(again.entries) == {"a", "b"}
    again.close()


async def test_what_was_not_waited_for_is_written_when_it_is_closed(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.accept("a", b"errand", LATER)
    journal.close()
    again = reopened(tmp_path)
    assert set(again.entries) == {"a"}
    assert (tmp_path / "journal").read_bytes().startswith(MAGIC)
    again.close()
