"""Addresses: where an entity lives, and the one way its id becomes a subject and a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import quote, unquote

BUCKETS = 256
ID_BYTES_MAX = 200
_KIND_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


class InvalidAddressError(ValueError):
    """What was given is not `kind/id`; the message says why and what is valid."""


@dataclass(frozen=True, slots=True, order=True)
class EntityAddress:
    """The address `kind/id` of one entity. Raises `InvalidAddressError`."""

    kind: str
    id: str

    def __post_init__(self) -> None:
        """Refuse what could not be stored and found again."""
        if not self.kind or not _KIND_CHARACTERS.issuperset(self.kind):
            message = f"a kind is lower-case letters, digits and hyphens, not {self.kind!r}"
            raise InvalidAddressError(message)
        if not self.id or len(self.id.encode("utf-8", "surrogatepass")) > ID_BYTES_MAX:
            message = f"an id has 1 to {ID_BYTES_MAX} bytes, not {len(self.id)} characters"
            raise InvalidAddressError(message)
        if not self.id.isprintable():
            message = f"an id has printable characters only, not {self.id!r}"
            raise InvalidAddressError(message)

    @classmethod
    def parse(cls, text: str) -> EntityAddress:
        """Read `kind/id`, as in `service/demo-app`. The id may hold further slashes."""
        kind, slash, entity_id = text.partition("/")
        if not slash:
            message = f"an address is KIND/ID, as in service/demo-app, not {text!r}"
            raise InvalidAddressError(message)
        return cls(kind, entity_id)

    def __str__(self) -> str:
        """Give the address as people write it."""
        return f"{self.kind}/{self.id}"

    @property
    def token(self) -> str:
        """The id, percent-encoded to one subject token (dots, stars and spaces included)."""
        return encode_token(self.id)

    @property
    def bucket(self) -> int:
        """The bucket of the id, 0 to 255."""
        return bucket_of(self.token)


def encode_token(text: str) -> str:
    """Percent-encode text to one subject token."""
    return quote(text, safe="").replace(".", "%2E").replace("~", "%7E")


def decode_token(token: str) -> str:
    """Give back what `encode_token` was given."""
    return unquote(token, errors="strict")


def bucket_of(token: str) -> int:
    """Give the first byte of BLAKE2b of a percent-encoded id."""
    return blake2b(token.encode("ascii")).digest()[0]
