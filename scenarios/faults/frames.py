"""NATS on the wire, read just enough: where each frame ends, and which subject it is about."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

LINE_BYTES_MAX = 64 * 1024
_END = b"\r\n"
_WITH_PAYLOAD = frozenset({b"PUB", b"HPUB", b"MSG", b"HMSG"})
_NAME = re.compile(rb"^CONNECT\s+(\{.*\})\s*$", re.IGNORECASE)


_SERVER_NAME = re.compile(rb'INFO \{.*?"server_name":"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame as it came. `reply` is where an answer is wanted; empty where none is."""

    raw: bytes
    verb: bytes
    subject: str = ""
    reply: str = ""

    @property
    def is_publish(self) -> bool:
        """Say whether a client publishes with it."""
        return self.verb in (b"PUB", b"HPUB")

    @property
    def is_message(self) -> bool:
        """Say whether the server delivers with it."""
        return self.verb in (b"MSG", b"HMSG")


@dataclass(slots=True)
class FrameReader:
    """Cuts one direction of a connection into frames, whatever pieces it arrives in."""

    _left: bytes = b""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take in what arrived, and give the frames that are whole now."""
        content = self._left + chunk
        frames: list[Frame] = []
        place = 0
        while (frame := _frame_at(content, place)) is not None:
            frames.append(frame)
            place += len(frame.raw)
        self._left = content[place:]
        return frames


def _frame_at(content: bytes, place: int) -> Frame | None:
    end = content.find(_END, place)
    if end < 0:
        assert len(content) - place <= LINE_BYTES_MAX, "this is not NATS"
        return None
    line = content[place:end]
    words = line.split()
    verb = words[0].upper() if words else b""
    if verb not in _WITH_PAYLOAD:
        return Frame(content[place : end + 2], verb)
    stop = end + 2 + int(words[-1]) + 2
    if stop > len(content):
        return None
    subject, reply = _subjects(verb, words)
    return Frame(content[place:stop], verb, subject, reply)


def _subjects(verb: bytes, words: list[bytes]) -> tuple[str, str]:
    """Give subject and reply: `PUB s [r] n`, `HPUB s [r] h n`, `MSG s id [r] n`, `HMSG ... h n`."""
    sizes = 2 if verb.startswith(b"H") else 1
    before = 3 if verb in (b"MSG", b"HMSG") else 2
    reply = words[before] if len(words) == before + 1 + sizes else b""
    return words[1].decode(errors="replace"), reply.decode(errors="replace")


def client_name(frame: Frame) -> str | None:
    """Give the name a client gives itself as it connects; None for any other frame."""
    found = _NAME.match(frame.raw.strip()) if frame.verb == b"CONNECT" else None
    return None if found is None else str(json.loads(found[1]).get("name", ""))


def server_name(chunk: bytes) -> str:
    """Give the name a server gives itself as it opens a route; empty where it gives none yet."""
    found = _SERVER_NAME.search(chunk)
    return "" if found is None else found[1].decode()
