"""Who may do what: every route is guarded, tokens are hashes, sessions end."""

from __future__ import annotations

from hashlib import sha256

import pytest

from standfast.web.access import LOCAL, Access, Identity, Scope, Token, is_loopback, required_scope


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def access(*tokens: Token, host: str = "127.0.0.1") -> tuple[Access, Clock]:
    clock = Clock()
    return Access(tokens, host, clock), clock


READER = Token("dash", Scope.READ, sha256(b"secret").hexdigest())


def test_loopback_without_tokens_is_open() -> None:
    assert access()[0].identify("", "") is LOCAL


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_other_hosts_without_tokens_let_nobody_in(host: str) -> None:
    assert access(host=host)[0].identify("Bearer anything", "") is None


def test_a_token_gives_its_name_and_scope() -> None:
    guard, _ = access(READER)
    assert guard.identify("Bearer secret", "") == Identity("token:dash", Scope.READ)
    assert guard.identify("bearer  secret", "") is not None
    for wrong in ("Bearer secre", "Bearer secret2", "Basic secret", "secret", "Bearer \udcff"):
        assert guard.identify(wrong, "") is None


def test_a_session_ends_when_it_is_old_or_left() -> None:
    guard, clock = access(READER)
    identity = guard.by_token("secret")
    assert identity is not None
    cookie = guard.begin_session(identity)
    assert guard.identify("", cookie) == identity
    clock.now = 12 * 3_600.0
    assert guard.identify("", cookie) is None
    cookie = guard.begin_session(identity)
    guard.end_session(cookie)
    assert guard.identify("", cookie) is None


def test_sessions_are_bounded() -> None:
    guard, _ = access(READER)
    first = guard.begin_session(LOCAL)
    for _ in range(1_000):
        guard.begin_session(LOCAL)
    assert guard.identify("", first) is None


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/", Scope.READ),
        ("GET", "/metrics", Scope.READ),
        ("GET", "/openapi.json", Scope.READ),
        ("GET", "/anything/new", Scope.READ),
        ("POST", "/api/alerts/x/acknowledge", Scope.OPERATE),
        ("POST", "/api/entities/alert/x/release", Scope.ADMIN),
        ("DELETE", "/anything/new", Scope.OPERATE),
        ("GET", "/livez", None),
        ("POST", "/login", None),
    ],
)
def test_scopes_follow_from_method_and_path(method: str, path: str, scope: Scope | None) -> None:
    assert required_scope(method, path) == scope


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("[::1]", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_loopback_is_known_by_name_and_address(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
