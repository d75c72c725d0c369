"""A message as it is stored in a stream: its place, when it was stored, and its bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from events.headers import decode_headers

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STORED_HEADER = "Standfast-Stored"
"""When a message was stored first, where it was brought from elsewhere: microseconds since 1970."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One stored message as it was read: where it is, when it arrived, what it holds.

    `stored_microseconds` is when the server that has it stored it, since 1970; `head` is the block
    of headers as it was sent, empty where there is none. Both are read when somebody asks.
    """

    subject: str
    sequence: int
    stored_microseconds: int
    payload: bytes
    head: bytes
    pending: int

    @property
    def stored(self) -> datetime:
        """When it was stored, by the server that has it or the one it was brought from."""
        return stored_moment(self.headers, self.stored_microseconds)

    @property
    def headers(self) -> dict[str, str]:
        """Its headers."""
        return decode_headers(self.head)


def stored_moment(headers: dict[str, str] | None, microseconds: int) -> datetime:
    """Give when a message was stored: by the server that has it, or by the one it came from."""
    first = headers.get(STORED_HEADER) if headers else None
    return _EPOCH + timedelta(microseconds=microseconds if first is None else int(first))
