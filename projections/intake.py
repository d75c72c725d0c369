"""Commits are read for projections so that one that cannot be decoded stops none of the others."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from events.address import InvalidAddressError
from events.commit import UnreadableCommitError, digest_of
from events.subjects import entity_of
from projections.base import Fault, ReadCommit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from events.base import Envelope
    from events.commit import StoredCommit
    from events.log import Log
    from events.reader import Message

EVENTS_MAX = 500
"""How many events one transaction takes, unless one commit holds more."""


def read_commit(log: Log, message: Message) -> ReadCommit:
    """Read one message of the state stream; what is wrong with it becomes its fault."""
    position = log.position(message.sequence)
    try:
        entity = str(entity_of(message.subject))
    except (InvalidAddressError, ValueError) as error:
        fault = Fault(0, f"{type(error).__name__}: {error}")
        return ReadCommit(message.subject, position, digest_of(message.payload), (), fault)
    try:
        stored = log.stored(message)
    except UnreadableCommitError as error:
        fault = Fault(0, f"{type(error).__name__}: {error}")
        return ReadCommit(entity, position, digest_of(message.payload), (), fault)
    return read_stored(stored)


def read_stored(stored: StoredCommit) -> ReadCommit:
    """Read a decoded commit. It is taken in whole or not at all."""
    envelopes: list[Envelope] = []
    fault = None
    try:
        envelopes.extend(stored.envelopes())
    except ValueError as error:  # an unknown type, or fields that do not fit
        fault = Fault(len(envelopes), f"{type(error).__name__}: {error}")
        envelopes = []
    entity = str(stored.commit.entity)
    return ReadCommit(entity, stored.position, stored.digest, tuple(envelopes), fault)


def chunks(
    commits: Sequence[ReadCommit], events_max: int = EVENTS_MAX
) -> Iterator[list[ReadCommit]]:
    """Cut commits into runs for one transaction each."""
    rest = iter(commits)
    while chunk := list(islice(rest, 1)):
        count = len(chunk[0].envelopes)
        for commit in rest:
            chunk.append(commit)
            count += len(commit.envelopes)
            if count >= events_max:
                break
        yield chunk
