"""Frames: records in a file, each with its length and checksum, so that a torn tail shows.

A frame is length and CRC-32 (4 bytes each, big-endian), then msgpack.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import msgpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

RECORD_BYTES_MAX = 16 * 1024 * 1024
_HEADER = struct.Struct(">II")


class TornFrameError(ValueError):
    """A file holds something that is no whole frame. `place` is where, in bytes."""

    def __init__(self, place: int) -> None:
        """Say where the whole frames end."""
        super().__init__(f"no whole record at byte {place}")
        self.place = place


def encode_frame(record: Any) -> bytes:  # noqa: ANN401  (whatever msgpack can hold)
    """Give the bytes of a record."""
    payload = bytes(msgpack.packb(record, datetime=True))
    return _HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def decode_frames(content: bytes, place: int = 0) -> Iterator[tuple[int, Any]]:
    """Give the whole records from a place on, each with the place after it."""
    while (payload := _payload_at(content, place)) is not None:
        place += _HEADER.size + len(payload)
        yield place, msgpack.unpackb(payload, timestamp=3)


def read_frames(file: BinaryIO) -> Iterator[Any]:
    """Give the records of a file from where it is. Raises `TornFrameError` at what is none."""
    while header := file.read(_HEADER.size):
        place = file.tell() - len(header)
        payload = _payload_of(header, file)
        if payload is None:
            raise TornFrameError(place)
        yield msgpack.unpackb(payload, timestamp=3)


def _payload_of(header: bytes, file: BinaryIO) -> bytes | None:
    if len(header) != _HEADER.size:
        return None
    length, checksum = _HEADER.unpack(header)
    if not 0 < length <= RECORD_BYTES_MAX:
        return None
    payload = file.read(length)
    return payload if len(payload) == length and zlib.crc32(payload) == checksum else None


def _payload_at(content: bytes, place: int) -> bytes | None:
    """Give the payload of the record at a place; None where there is no whole one."""
    if place + _HEADER.size > len(content):
        return None
    length, checksum = _HEADER.unpack_from(content, place)
    payload = content[place + _HEADER.size : place + _HEADER.size + length]
    if not 0 < length <= RECORD_BYTES_MAX or len(payload) != length:
        return None
    return payload if zlib.crc32(payload) == checksum else None
