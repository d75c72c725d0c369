"""Who may do what: three scopes, tokens known only by their hashes, and sessions of browsers."""

from __future__ import annotations

import ipaddress
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COOKIE = "standfast-session"
SESSION_SECONDS = 12 * 3_600.0
SESSIONS_MAX = 1_000
TOKEN_CHARACTERS_MAX = 512
PUBLIC_PATHS = frozenset({"/livez", "/readyz", "/healthz", "/login", "/logout"})
PUBLIC_PREFIX = "/static/"
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ADMIN_PREFIXES = ("/api/entities/", "/api/projections/")


class Scope(IntEnum):
    """What one may do; each scope includes those before it."""

    READ = 1
    OPERATE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Token:
    """A token's name, scope, and the SHA-256 of its text in hexadecimal."""

    name: str
    scope: Scope
    sha256: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, and what they may do. The principal goes into commands."""

    principal: str
    scope: Scope


LOCAL = Identity("local", Scope.ADMIN)


def is_loopback(host: str) -> bool:
    """Say whether a host's name or address is this machine's loopback."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def required_scope(method: str, path: str) -> Scope | None:
    """Give the scope that a request needs, None for what anybody may see."""
    if path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIX):
        return None
    if method in READING_METHODS:
        return Scope.READ
    return Scope.ADMIN if path.startswith(ADMIN_PREFIXES) else Scope.OPERATE


class Access:
    """Decides who somebody is. Without tokens only the machine itself may listen and ask."""

    def __init__(self, tokens: Sequence[Token], host: str, monotonic: Callable[[], float]) -> None:
        """Guard an application that listens on a host with these tokens."""
        self._tokens = tuple(tokens)
        self._monotonic = monotonic
        self._sessions: OrderedDict[str, tuple[float, Identity]] = OrderedDict()
        self.loopback = is_loopback(host)

    @property
    def open(self) -> bool:
        """Say whether whoever reaches the port may do everything."""
        return self.loopback and not self._tokens

    def identify(self, authorization: str, cookie: str) -> Identity | None:
        """Give who somebody is by a header or a session's cookie, or None."""
        if self.open:
            return LOCAL
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self.by_token(token.strip())
        return self._by_session(cookie) if cookie else None

    def by_token(self, token: str) -> Identity | None:
        """Give whose token it is; every known one is compared, in constant time."""
        digest = sha256(token[:TOKEN_CHARACTERS_MAX].encode("utf-8", "replace")).hexdigest()
        found = None
        for known in self._tokens:
            if compare_digest(digest, known.sha256.lower()):
                found = Identity(f"token:{known.name}", known.scope)
        return found

    def begin_session(self, identity: Identity) -> str:
        """Give the secret of a new session of a browser; the oldest sessions make room."""
        secret = secrets.token_urlsafe(32)
        self._sessions[_key(secret)] = (self._monotonic() + SESSION_SECONDS, identity)
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return secret

    def end_session(self, secret: str) -> None:
        """Forget a session."""
        self._sessions.pop(_key(secret), None)

    def _by_session(self, secret: str) -> Identity | None:
        until, identity = self._sessions.get(_key(secret), (0.0, None))
        if identity is None or self._monotonic() < until:
            return identity
        self.end_session(secret)
        return None


def _key(secret: str) -> str:
    """Sessions are kept by hash, so that a look-up tells nothing of a secret."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()
