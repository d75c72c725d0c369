"""A backup of the log in one file: whose it is, a snapshot in chunks, and the ends of all chains.

Frames, each with its checksum: a heading, the chunks, the chains' ends, and an ending with the
SHA-256 of all chunks; a file without its ending is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from events.frames import TornFrameError, encode_frame, read_frames
from events.identity import LogIdentity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path
    from typing import BinaryIO

    from events.commit import Head
    from events.state_stream import Content

FORMAT = 1
HEADS_A_FRAME = 1_000
_HEADING, _CHUNK, _HEADS, _ENDING = "backup", "chunk", "heads", "end"


class UnusableBackupError(ValueError):
    """The file is no backup of a log, of another format, damaged, or cut off; it says which."""


@dataclass(frozen=True, slots=True)
class BackupHeading:
    """Of which life of which log a backup is, by which build, when, and the stream's settings."""

    identity: LogIdentity
    build: str
    made: datetime
    config: Content
    state: Content


@dataclass(frozen=True, slots=True)
class BackupEnding:
    """What a backup holds: `head` is its last sequence, `head_digest` that commit's digest."""

    head: int
    head_digest: bytes
    commits: int
    events: int


@dataclass(slots=True)
class BackupWriter:
    """Writes a backup to an open file."""

    file: BinaryIO
    size: int = 0
    _digest: Any = field(default_factory=sha256)

    def begin(self, heading: BackupHeading) -> None:
        """Write the heading."""
        identity = heading.identity
        whose = (identity.log_id, identity.generation, identity.shared)
        fields = (*whose, heading.build, heading.made, heading.config, heading.state)
        self.file.write(encode_frame((_HEADING, FORMAT, *fields)))

    def add(self, chunk: bytes) -> None:
        """Write a chunk of the snapshot."""
        self.file.write(encode_frame((_CHUNK, chunk)))
        self._digest.update(chunk)
        self.size += len(chunk)

    def end(self, ending: BackupEnding, heads: Iterable[tuple[str, Head]]) -> None:
        """Write the chains' ends and the ending; without it the backup counts as cut off."""
        rows = [(entity, head.sequence, head.digest) for entity, head in heads]
        for start in range(0, len(rows), HEADS_A_FRAME):
            self.file.write(encode_frame((_HEADS, rows[start : start + HEADS_A_FRAME])))
        fields = (ending.head, ending.head_digest, ending.commits, ending.events)
        self.file.write(encode_frame((_ENDING, *fields, self.size, self._digest.digest())))


class Backup:
    """One backup file."""

    def __init__(self, path: Path) -> None:
        """Open a file and read its heading. Raises `UnusableBackupError` or `OSError`."""
        self.path = path
        self.heading = _heading_in(path)

    def check(self) -> BackupEnding:
        """Read the whole file. Raises `UnusableBackupError` at what is not whole."""
        total, digest = 0, sha256()
        for kind, *fields in _records(self.path):
            if kind == _CHUNK:
                total += len(fields[0])
                digest.update(fields[0])
            elif kind == _ENDING:
                if fields[4:] != [total, digest.digest()]:
                    raise UnusableBackupError(f"{self.path}: its ending speaks of other chunks")
                return BackupEnding(*fields[:4])
        raise UnusableBackupError(f"{self.path}: cut off after {total} bytes")

    def chunks(self) -> Iterator[bytes]:
        """Give the chunks of the snapshot. Raises `UnusableBackupError`."""
        for kind, *fields in _records(self.path):
            if kind == _CHUNK:
                yield fields[0]

    def heads(self) -> Iterator[tuple[str, int, bytes]]:
        """Give each entity with the sequence and digest of its newest commit."""
        for kind, *fields in _records(self.path):
            if kind == _HEADS:
                yield from fields[0]


def _heading_in(path: Path) -> BackupHeading:
    first = next(_records(path), None)
    if first is None or first[0] != _HEADING:
        raise UnusableBackupError(f"{path}: not a backup of a log")
    if first[1] != FORMAT:
        raise UnusableBackupError(f"{path}: a backup of format {first[1]}; known: {FORMAT}")
    log_id, generation, shared, build, made, config, state = first[2:]
    identity = LogIdentity(log_id, generation, tuple((one, last) for one, last in shared))
    return BackupHeading(identity, build, made, config, state)


def _records(path: Path) -> Iterator[list[Any]]:
    with path.open("rb") as file:
        try:
            for record in read_frames(file):
                if not isinstance(record, list) or not record:
                    raise UnusableBackupError(f"{path}: not a backup of a log")
                yield record
        except TornFrameError as error:
            raise UnusableBackupError(f"{path}: damaged or cut off: {error}") from error
