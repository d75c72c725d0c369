"""Headers of a message: a line of the protocol's version, then `name: value` on a line each."""

from __future__ import annotations

_VERSION = b"NATS/1.0"
_END = "\r\n"


def encode_headers(headers: dict[str, str]) -> bytes:
    """Give the block of some headers; no bytes where there are none."""
    if not headers:
        return b""
    lines = [f"{name}: {value}{_END}" for name, value in headers.items()]
    return _VERSION + f"{_END}{''.join(lines)}{_END}".encode()


def decode_headers(head: bytes) -> dict[str, str]:
    """Read a block of headers; what is no header is left out."""
    headers: dict[str, str] = {}
    for line in head.decode(errors="replace").split(_END)[1:]:
        name, _, value = line.partition(":")
        if name:
            headers[name] = value.strip()
    return headers
