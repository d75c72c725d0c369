"""A simulated stream: messages by sequence, by subject and by the beginnings of subjects."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.js.api import StreamConfig


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored message."""

    subject: str
    sequence: int
    stored: datetime
    payload: bytes
    headers: dict[str, str] | None


class Stream:
    """All messages of a stream. Old ones beyond the limit of a subject are forgotten."""

    def __init__(self, config: StreamConfig) -> None:
        self.config = config
        self.last = 0
        self.bytes = 0
        self._messages: dict[int, Stored] = {}
        self._by_subject: dict[str, list[int]] = {}
        self._by_beginning: dict[str, list[int]] = {"": []}
        self._kept_max = config.max_msgs_per_subject or -1

    def store(
        self, subject: str, payload: bytes, headers: dict[str, str] | None, time: datetime
    ) -> Stored:
        """Store a message at the end."""
        self.last += 1
        message = Stored(subject, self.last, time, payload, headers)
        self._messages[self.last] = message
        self.bytes += len(payload)
        own = self._by_subject.setdefault(subject, [])
        own.append(self.last)
        for beginning in _beginnings(subject):
            self._by_beginning.setdefault(beginning, []).append(self.last)
        if 0 < self._kept_max < len(own):
            self._forget(subject, own)
        return message

    def _forget(self, subject: str, own: list[int]) -> None:
        sequence = own.pop(0)
        self.bytes -= len(self._messages.pop(sequence).payload)
        for beginning in _beginnings(subject):
            self._by_beginning[beginning].remove(sequence)

    def __len__(self) -> int:
        """Give how many messages there are."""
        return len(self._messages)

    def get(self, sequence: int) -> Stored | None:
        """Give the message at a sequence."""
        return self._messages.get(sequence)

    def last_of(self, pattern: str) -> Stored | None:
        """Give the newest message that matches."""
        found = self._matching(pattern)
        return self._messages[found[-1]] if found else None

    def next_of(self, pattern: str, sequence: int) -> Stored | None:
        """Give the first message from a sequence on that matches."""
        found = self._matching(pattern)
        place = bisect_left(found, sequence)
        return self._messages[found[place]] if place < len(found) else None

    def last_sequence_of(self, subject: str) -> int:
        """Give the sequence of a subject's newest message, 0 where there is none."""
        own = self._by_subject.get(subject)
        return own[-1] if own else 0

    def from_sequence(self, patterns: Sequence[str], start: int) -> list[Stored]:
        """Give all messages from a sequence on that match any pattern, in order."""
        parts = []
        for pattern in patterns or [">"]:
            found = self._matching(pattern)
            parts.append(found[bisect_left(found, start) :])
        sequences = parts[0] if len(parts) == 1 else list(dict.fromkeys(merge(*parts)))
        return [self._messages[sequence] for sequence in sequences]

    def newest(self, patterns: Sequence[str]) -> list[Stored]:
        """Give the newest message of each subject that matches any pattern, in order."""
        found = {one.subject: one for one in self.from_sequence(patterns, 1)}
        return sorted(found.values(), key=lambda one: one.sequence)

    def from_time(self, time: datetime) -> int:
        """Give the sequence of the first message stored at or after a time."""
        later = (one.sequence for one in self._messages.values() if one.stored >= time)
        return next(later, self.last + 1)

    def _matching(self, pattern: str) -> list[int]:
        if pattern.endswith(">"):
            return self._by_beginning.get(pattern[:-1].rstrip("."), [])
        return self._by_subject.get(pattern, [])


def _beginnings(subject: str) -> list[str]:
    parts = subject.split(".")
    return ["", *[".".join(parts[:count]) for count in range(1, len(parts))]]
