"""A commit: all events that one drain of a mailbox decided, in one message, chained by digests."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from events.address import EntityAddress
from events.base import Envelope, Moment, Origin
from events.codec import decode_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.base import Event, Position
    from events.identity import LogIdentity

FORMAT = 1
DIGEST_HEADER = "Standfast-Digest"


class UnreadableCommitError(ValueError):
    """The bytes of a stored commit are not a commit of a format that is known here."""


class Head(msgspec.Struct, frozen=True, gc=False):
    """The end of an entity's chain: the sequence and digest of its newest commit."""

    sequence: int = 0
    digest: bytes = b""


class Author(msgspec.Struct, frozen=True, gc=False):
    """By what and where a commit was made."""

    platform: str
    cell: str
    build: str


class Fact(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """An event as it is stored: its type, the index of its origin, its fields."""

    type: str
    origin: int
    data: dict[str, Any]


class Commit(msgspec.Struct, frozen=True, gc=False):
    """One message of the state stream, before or after it has a sequence."""

    id: str
    entity: EntityAddress
    previous: Head
    decided: datetime
    author: Author
    origins: tuple[Origin, ...]
    facts: tuple[Fact, ...]


class StoredCommit(msgspec.Struct, frozen=True, gc=False):
    """A commit with its sequence in a log, and its stored bytes."""

    commit: Commit
    sequence: int
    payload: bytes
    log: LogIdentity

    @property
    def position(self) -> Position:
        """Its place, under the first generation of the log that had it."""
        return self.log.position(self.sequence)

    @property
    def digest(self) -> bytes:
        """The SHA-256 of its stored bytes."""
        return digest_of(self.payload)

    @property
    def head(self) -> Head:
        """The chain's end, were this the newest commit."""
        return Head(self.sequence, self.digest)

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


class _Stored(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The fields of a stored commit, in their order."""

    format: int
    id: str
    entity: str
    previous_sequence: int
    previous_digest: bytes
    decided: Moment
    platform: str
    cell: str
    build: str
    origins: tuple[Origin, ...]
    facts: tuple[Fact, ...]


def fact_of(event: Event, origin: int) -> Fact:
    """Give the stored form of an event."""
    return Fact(event.type, origin, event.model_dump())


def digest_of(payload: bytes) -> bytes:
    """Give the SHA-256 of a commit's stored bytes."""
    return sha256(payload).digest()


def encode_commit(commit: Commit) -> bytes:
    """Give the bytes of a commit (a msgpack array that begins with the format's number)."""
    author = commit.author
    return msgspec.msgpack.encode(
        _Stored(
            FORMAT,
            commit.id,
            str(commit.entity),
            commit.previous.sequence,
            commit.previous.digest,
            commit.decided,
            author.platform,
            author.cell,
            author.build,
            commit.origins,
            commit.facts,
        )
    )


def decode_commit(payload: bytes, entity: EntityAddress) -> Commit:
    """Read the bytes of a commit that was stored under an entity's subject.

    Raises `UnreadableCommitError`: not msgpack, another format, or another entity's commit.
    """
    try:
        stored = _DECODER.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UnreadableCommitError(_why_unreadable(payload, error)) from error
    if stored.format != FORMAT:
        raise UnreadableCommitError(_OTHER_FORMAT.format(stored.format))
    if stored.entity != str(entity):
        message = f"a commit of {stored.entity!r} under the subject of {entity}"
        raise UnreadableCommitError(message)
    for fact in stored.facts:
        if not 0 <= fact.origin < len(stored.origins):
            message = f"not a commit: its {fact.type} has no origin {fact.origin}"
            raise UnreadableCommitError(message)
    return Commit(
        stored.id,
        entity,
        Head(stored.previous_sequence, stored.previous_digest),
        stored.decided,
        Author(stored.platform, stored.cell, stored.build),
        stored.origins,
        stored.facts,
    )


_DECODER = msgspec.msgpack.Decoder(_Stored)


_OTHER_FORMAT = f"a commit of format {{!r}}; known here: {FORMAT}"


def _why_unreadable(payload: bytes, error: Exception) -> str:
    """Say that the format is another one, where that is so."""
    try:
        fields = msgspec.msgpack.decode(payload)
        if isinstance(fields, list) and fields and fields[0] != FORMAT:
            return _OTHER_FORMAT.format(fields[0])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    return f"not a commit: {type(error).__name__}: {error}"
