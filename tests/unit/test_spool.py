"""A spool keeps whole records through kills and full disks, and forgets them when told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from standfast.emergency.spool import Spool, SpoolFullError, read_spool

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_written_is_read_by_a_successor_and_by_others(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    first = Spool(path, 4096)
    first.append(["a", 1], {"b": 2})
    assert read_spool(path) == [["a", 1], {"b": 2}]
    assert Spool(path, 4096).records == [["a", 1], {"b": 2}]
    assert path.stat().st_mode & 0o777 == 0o600


def test_its_room_is_taken_before_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    Spool(path, 65_536)
    assert path.stat().st_blocks * 512 >= 65_536


def test_a_torn_end_is_forgotten_and_never_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path, 4096)
    for number in range(5):
        spool.append([number])
    size = len(path.read_bytes().rstrip(b"\0")) // 5
    with path.open("r+b") as file:  # the second of five equal records is torn
        file.seek(size + 9)
        file.write(b"\xff")
    torn = Spool(path, 4096)
    assert torn.records == [[0]]
    torn.append([9])
    assert read_spool(path) == [[0], [9]]


def test_what_was_cleared_is_gone_for_all(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path, 4096)
    for number in range(5):
        spool.append([number])
    spool.clear()
    assert read_spool(path) == []
    spool.append([7])
    assert read_spool(path) == Spool(path, 4096).records == [[7]]


def test_a_full_spool_refuses_and_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path, 64)
    spool.append("x" * 40)
    with pytest.raises(SpoolFullError):
        spool.append("y" * 40)
    assert read_spool(path) == ["x" * 40]


def test_nothing_is_read_where_there_is_none(tmp_path: Path) -> None:
    assert read_spool(tmp_path / "none") == []
    spool = Spool(tmp_path / "new" / "spool", 64)
    spool.close()
    assert [one.name for one in (tmp_path / "new").iterdir()] == ["spool"]
