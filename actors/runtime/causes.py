"""What a policy reads of the log: its causes, and those versions of them that it can't read."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from events.address import InvalidAddressError
from events.commit import UnreadableCommitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.policies.base import Policy
    from events.address import EntityAddress
    from events.base import Envelope, Origin, Position
    from events.commit import StoredCommit
    from events.log import Log
    from events.reader import Message

ERROR_CHARACTERS_MAX = 500


@dataclass(frozen=True, slots=True)
class Unread:
    """A cause in a commit that this build can't read: nobody knows what it says."""

    id: str
    type: str
    error: str
    position: Position
    index: int
    origin: Origin


@dataclass(slots=True)
class Causes:
    """Finds the causes of one policy in the messages of the log; its own commits are none."""

    policy: Policy[Any]
    own: EntityAddress
    log: Log
    _names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Know the causes by name, whatever version of them is stored."""
        self._names = frozenset(_name_of(cause.type) for cause in self.policy.causes)

    def in_message(self, message: Message) -> Iterator[Envelope | Unread]:
        """Give the causes in a message. Bytes that are no commit name none."""
        if self._is_own(message.subject):
            return
        try:
            stored = self.log.stored(message)
        except (UnreadableCommitError, InvalidAddressError):
            return  # its own entity is parked because of it, and people are told
        if self._names.isdisjoint(_name_of(fact.type) for fact in stored.commit.facts):
            return
        try:
            envelopes = list(stored.envelopes())
        except ValueError as error:  # a commit is read whole or not at all
            yield from self._unread(stored, f"{type(error).__name__}: {error}")
            return
        for envelope in envelopes:
            if type(envelope.event) in self.policy.causes:
                yield envelope

    def _is_own(self, subject: str) -> bool:
        return subject.startswith("sf.policy.") and self.own.token == subject.rpartition(".")[2]

    def _unread(self, stored: StoredCommit, error: str) -> Iterator[Unread]:
        commit = stored.commit
        for index, fact in enumerate(commit.facts):
            if _name_of(fact.type) in self._names:
                yield Unread(
                    id=f"{commit.id}.{index}",
                    type=fact.type,
                    error=error[:ERROR_CHARACTERS_MAX],
                    position=stored.position,
                    index=index,
                    origin=commit.origins[fact.origin],
                )


@cache
def _name_of(stored_type: str) -> str:
    """Give a type without its version."""
    return stored_type.rpartition(".v")[0]
