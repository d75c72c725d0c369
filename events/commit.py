"""A commit: all events that one drain of a mailbox decided, in one message, chained by digests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgpack

from events.base import Envelope, Origin, Position
from events.codec import decode_event
from events.origin import pack_origin, unpack_origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.address import EntityAddress
    from events.base import Event

FORMAT = 1
DIGEST_HEADER = "Standfast-Digest"
_UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    OSError,
    msgpack.UnpackException,
)
"""What reading foreign bytes may raise; times out of range are ArithmeticError or OSError."""


class UnreadableCommitError(ValueError):
    """The bytes of a stored commit are not a commit of a format that is known here."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of an entity's chain: the sequence and digest of its newest commit."""

    sequence: int = 0
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Author:
    """By what and where a commit was made."""

    platform: str
    cell: str
    build: str


@dataclass(frozen=True, slots=True)
class Fact:
    """An event as it is stored: its type, the index of its origin, its fields."""

    type: str
    origin: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Commit:
    """One message of the state stream, before or after it has a sequence."""

    id: str
    entity: EntityAddress
    previous: Head
    decided: datetime
    author: Author
    origins: tuple[Origin, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class StoredCommit:
    """A commit with its place: position, the server's time of arrival, and its digest."""

    commit: Commit
    position: Position
    stored: datetime
    digest: bytes
    bytes: int

    @property
    def head(self) -> Head:
        """The chain's end, were this the newest commit."""
        return Head(self.position.sequence, self.digest)

    def envelopes(self) -> Iterator[Envelope]:
        """Decode the events one by one.

        Raises `UnknownEventError` or pydantic's `ValidationError` at the first that can't be read.
        """
        commit = self.commit
        author = commit.author
        for index, fact in enumerate(commit.facts):
            yield Envelope(
                event=decode_event(fact.type, fact.data),
                id=f"{commit.id}.{index}",
                entity=commit.entity,
                position=self.position,
                index=index,
                origin=commit.origins[fact.origin],
                decided=commit.decided,
                platform=author.platform,
                cell=author.cell,
                build=author.build,
            )


def fact_of(event: Event, origin: int) -> Fact:
    """Give the stored form of an event."""
    return Fact(event.type, origin, event.model_dump())


def digest_of(payload: bytes) -> bytes:
    """Give the SHA-256 of a commit's stored bytes."""
    return sha256(payload).digest()


def encode_commit(commit: Commit) -> bytes:
    """Give the bytes of a commit (a msgpack array that begins with the format's number)."""
    author = commit.author
    fields = (
        FORMAT,
        commit.id,
        str(commit.entity),
        commit.previous.sequence,
        commit.previous.digest,
        commit.decided,
        author.platform,
        author.cell,
        author.build,
        [pack_origin(origin) for origin in commit.origins],
        [(fact.type, fact.origin, fact.data) for fact in commit.facts],
    )
    return bytes(msgpack.packb(fields, datetime=True))


def decode_commit(payload: bytes, entity: EntityAddress) -> Commit:
    """Read the bytes of a commit that was stored under an entity's subject.

    Raises `UnreadableCommitError`: not msgpack, another format, or another entity's commit.
    """
    try:
        fields = msgpack.unpackb(payload, timestamp=3)
        _check_head(fields, entity)
        _check_facts(fields)
        return Commit(
            id=fields[1],
            entity=entity,
            previous=Head(fields[3], fields[4]),
            decided=fields[5],
            author=Author(fields[6], fields[7], fields[8]),
            origins=tuple([unpack_origin(origin) for origin in fields[9]]),
            facts=tuple([Fact(*fact) for fact in fields[10]]),
        )
    except UnreadableCommitError:
        raise
    except _UNREADABLE as error:
        message = f"not a commit: {type(error).__name__}: {error}"
        raise UnreadableCommitError(message) from error


def _check_head(fields: list[Any], entity: EntityAddress) -> None:
    if fields[0] != FORMAT:
        message = f"a commit of format {fields[0]!r}; known here: {FORMAT}"
        raise UnreadableCommitError(message)
    if fields[2] != str(entity):
        message = f"a commit of {fields[2]!r} under the subject of {entity}"
        raise UnreadableCommitError(message)


def _check_facts(fields: list[Any]) -> None:
    """Find now what would fail later, when the events are read one by one."""
    if not isinstance(fields[5], datetime) or not isinstance(fields[3], int):
        message = "not a commit: its time or its predecessor is missing"
        raise UnreadableCommitError(message)
    for kind, origin, data in fields[10]:
        if not isinstance(kind, str) or not isinstance(data, dict):
            message = f"not a commit: {kind!r} is not a fact"
            raise UnreadableCommitError(message)
        if not isinstance(origin, int) or not 0 <= origin < len(fields[9]):
            message = f"not a commit: its {kind} has no origin {origin!r}"
            raise UnreadableCommitError(message)
