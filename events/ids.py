"""Ids: 128 bits, time-ordered like UUID version 7, made by the shell and never by the core."""

from __future__ import annotations

from events.surroundings import SURROUNDINGS

_RANDOM_BYTES = 10


def new_id() -> str:
    """Give a new id: 32 hexadecimal digits that sort by the millisecond they were made in."""
    around = SURROUNDINGS.get()
    milliseconds = int(around.now().timestamp() * 1000)
    return f"{milliseconds & 0xFFFF_FFFF_FFFF:012x}{around.random_bytes(_RANDOM_BYTES).hex()}"
