"""An archive: the messages of a log in one file, that its reader can tell whole from cut off.

Frames: a heading, one record a message, and an ending with their count and the SHA-256 of all
payloads, one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from events.frames import TornFrameError, encode_frame, read_frames
from events.headers import encode_headers
from events.reader import Message
from events.streams import LogIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

FORMAT = 1
_HEADING, _MESSAGE, _ENDING = "log", "message", "end"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnusableArchiveError(ValueError):
    """The file is no archive, of another format, damaged, or cut off; the message says which."""


@dataclass(frozen=True, slots=True)
class Heading:
    """Of which life of which log an archive is, by which build and when it was made.

    It holds the commits after sequence `after`; 0 is all.
    """

    identity: LogIdentity
    build: str
    made: datetime
    after: int = 0


@dataclass(slots=True)
class ArchiveWriter:
    """Writes messages, in the order of their sequences, to an open file."""

    file: BinaryIO
    count: int = 0
    last_sequence: int = 0
    _digest: Any = field(default_factory=sha256)

    def begin(self, heading: Heading) -> None:
        """Write the heading."""
        identity = heading.identity
        whose = (identity.log_id, identity.generation)
        fields = (*whose, heading.build, heading.made, identity.shared, heading.after)
        self.file.write(encode_frame((_HEADING, FORMAT, *fields)))

    def add(self, message: Message) -> None:
        """Write a message."""
        assert message.sequence > self.last_sequence, "messages come in order"
        stored = (message.stored - _EPOCH) // timedelta(microseconds=1)
        headers = message.headers or None
        fields = (message.sequence, stored, message.subject, message.payload, headers)
        self.file.write(encode_frame((_MESSAGE, *fields)))
        self._digest.update(message.payload)
        self.count, self.last_sequence = self.count + 1, message.sequence

    def end(self) -> None:
        """Write the ending; without it the archive counts as cut off."""
        self.file.write(encode_frame((_ENDING, self.count, self._digest.digest())))


class Archive:
    """The messages of one archive file, read as a stream."""

    def __init__(self, path: Path) -> None:
        """Open a file and read its heading. Raises `UnusableArchiveError` or `OSError`."""
        self._path = path
        self.heading = _heading_in(path)

    def messages(self) -> Iterator[Message]:
        """Give all messages, oldest first. Raises `UnusableArchiveError` at what is not whole."""
        count, digest = 0, sha256()
        for kind, *fields in _records(self._path):
            if kind == _MESSAGE:
                message = _message_of(fields)
                count += 1
                digest.update(message.payload)
                yield message
            elif kind == _ENDING:
                if fields != [count, digest.digest()]:
                    raise UnusableArchiveError(f"{self._path}: its ending speaks of other messages")
                return
        raise UnusableArchiveError(f"{self._path}: cut off after {count} messages")


def _heading_in(path: Path) -> Heading:
    first = next(_records(path), None)
    if first is None or first[0] != _HEADING:
        raise UnusableArchiveError(f"{path}: not an archive of a log")
    if first[1] != FORMAT:
        raise UnusableArchiveError(f"{path}: an archive of format {first[1]}; known: {FORMAT}")
    _, _, log_id, generation, build, made, *later = first  # the first archives told no more
    shared, after = later or ((), 0)
    lives = tuple((one, last) for one, last in shared)
    return Heading(LogIdentity(log_id, generation, lives), build, made, after)


def _records(path: Path) -> Iterator[list[Any]]:
    with path.open("rb") as file:
        try:
            for record in read_frames(file):
                if not isinstance(record, list) or not record:
                    raise UnusableArchiveError(f"{path}: not an archive of a log")
                yield record
        except TornFrameError as error:
            raise UnusableArchiveError(f"{path}: damaged or cut off: {error}") from error


def _message_of(fields: list[Any]) -> Message:
    sequence, stored, subject, payload, headers = fields
    return Message(
        subject=subject,
        sequence=sequence,
        stored_microseconds=stored,
        payload=payload,
        head=encode_headers(headers or {}),
        pending=0,
    )
