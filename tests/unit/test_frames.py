"""Frames of NATS are cut where they end, in whatever pieces they come, and nothing is changed."""

import pytest

from scenarios.faults.frames import FrameReader, client_name

SAID = (
    b'CONNECT {"verbose":false,"name":"alert-host"}\r\n'
    b"PUB sf.alert.0a.x 5\r\nhello\r\n"
    b"PUB sfc.alert.0a.x _INBOX.a.1 5\r\nwo\r\nd\r\n"
    b"HPUB sf.alert.0a.x 12 17\r\nNATS/1.0\r\n\r\nhello\r\n"
    b"HPUB sf.alert.0a.x _INBOX.a.2 12 17\r\nNATS/1.0\r\n\r\nhello\r\n"
    b"PING\r\n"
    b"MSG _INBOX.a.2 7 2\r\n{}\r\n"
    b"MSG sf.alert.0a.x 7 _INBOX.b 2\r\n{}\r\n"
    b"HMSG _INBOX.a.2 7 12 14\r\nNATS/1.0\r\n\r\n{}\r\n"
    b"HMSG sf.alert.0a.x 7 _INBOX.b 12 14\r\nNATS/1.0\r\n\r\n{}\r\n"
    b"+OK\r\n"
)
SUBJECTS = [
    (b"CONNECT", "", ""),
    (b"PUB", "sf.alert.0a.x", ""),
    (b"PUB", "sfc.alert.0a.x", "_INBOX.a.1"),
    (b"HPUB", "sf.alert.0a.x", ""),
    (b"HPUB", "sf.alert.0a.x", "_INBOX.a.2"),
    (b"PING", "", ""),
    (b"MSG", "_INBOX.a.2", ""),
    (b"MSG", "sf.alert.0a.x", "_INBOX.b"),
    (b"HMSG", "_INBOX.a.2", ""),
    (b"HMSG", "sf.alert.0a.x", "_INBOX.b"),
    (b"+OK", "", ""),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 30, 1000])
def test_frames_are_the_same_in_whatever_pieces_they_come(size: int) -> None:
    reader = FrameReader()
    pieces = [SAID[place : place + size] for place in range(0, len(SAID), size)]
    frames = [frame for piece in pieces for frame in reader.feed(piece)]
    assert [(frame.verb, frame.subject, frame.reply) for frame in frames] == SUBJECTS
    assert b"".join(frame.raw for frame in frames) == SAID


def test_a_client_is_known_by_the_name_it_connects_with() -> None:
    names = [client_name(frame) for frame in FrameReader().feed(SAID)]
    assert names == ["alert-host", *[None] * (len(names) - 1)]


def test_a_frame_that_is_not_whole_is_waited_for() -> None:
    reader = FrameReader()
    assert reader.feed(b"PUB a 5\r\nhel") == []
    (frame,) = reader.feed(b"lo\r\n")
    assert frame.raw == b"PUB a 5\r\nhello\r\n"
