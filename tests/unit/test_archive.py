"""An archive gives back what went in, and whatever was cut off or changed shows."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from events.archive import Archive, ArchiveWriter, Heading, UnusableArchiveError
from events.headers import encode_headers
from events.reader import Message
from events.streams import LogIdentity

MADE = datetime(2026, 11, 25, 9, 0, 0, 123456, UTC)
STORED = 1_764_061_200_123_456
HEADING = Heading(LogIdentity("log", 3), "build", MADE)
MESSAGES = [
    Message("sf.service.00.a", 4, STORED, b"one", encode_headers({"Standfast-Digest": "00"}), 0),
    Message("sf.service.00.a", 9, STORED + 1, b"\x00two", b"", 0),
]


def written(path: Path) -> Path:
    with path.open("wb") as file:
        writer = ArchiveWriter(file)
        writer.begin(HEADING)
        for message in MESSAGES:
            writer.add(message)
        writer.end()
    return path


def test_what_went_in_comes_out(tmp_path: Path) -> None:
    archive = Archive(written(tmp_path / "log.archive"))
    assert archive.heading == HEADING
    assert list(archive.messages()) == MESSAGES


def test_every_cut_shows(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole").read_bytes()
    cut = tmp_path / "cut"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(UnusableArchiveError):
            list(Archive(cut).messages())


def test_every_flipped_byte_shows(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole").read_bytes()
    flipped = tmp_path / "flipped"
    for place in range(len(whole)):
        flipped.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(UnusableArchiveError):
            list(Archive(flipped).messages())
