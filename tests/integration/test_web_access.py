"""Who may ask what over the wire: loopback, tokens, sessions, hosts, origins, headers."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute

from standfast.web.access import PUBLIC_PATHS, Scope, Token
from standfast.web.api import ROUTERS
from tests.fixtures.web import running_platform
from tests.story import steady

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from events.log import Log
    from tests.fixtures.web import Platform

TOKENS = tuple(
    Token(scope.name.lower(), scope, sha256(f"{scope.name}-token".encode()).hexdigest())
    for scope in Scope
)
ACKNOWLEDGE = "/api/alerts/x/acknowledge"
RELEASE = "/api/entities/alert/x/release"


@pytest.fixture
async def guarded(log: Log, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running_platform(log, tmp_path, tokens=TOKENS) as running:
        yield running


def bearer(scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {scope}-token"}


async def test_every_route_refuses_without_a_token(guarded: Platform) -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    assert len(routes) > 20
    for route in routes:
        assert isinstance(route, APIRoute)
        if route.path in PUBLIC_PATHS or route.path.startswith("/static/"):
            continue
        for method in route.methods or ():
            answer = await guarded.http.request(
                method,
                guarded.url + route.path.replace("{", "").replace("}", ""),
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code in {401, 303}, route.path
    for path in ("/openapi.json", "/nothing", "/api/nothing"):
        assert (await guarded.get(path)).status_code == 401


@pytest.mark.parametrize(
    ("scope", "reads", "operates", "administers"),
    [
        ("READ", 200, 403, 403),
        ("OPERATE", 200, 200, 403),
        ("ADMIN", 200, 200, 200),
        ("WRONG", 401, 401, 401),
    ],
)
async def test_each_scope_includes_those_before_it(
    guarded: Platform, scope: str, reads: int, operates: int, administers: int
) -> None:
    await steady(guarded.recorder)
    await guarded.projected()
    headers = bearer(scope)
    assert (await guarded.get("/api/services", headers=headers)).status_code == reads
    for path, expected in ((ACKNOWLEDGE, operates), (RELEASE, administers)):
        answer = await guarded.post(path, headers=headers, json=[])
        allowed = 400  # the body is wrong on purpose: it came through
        assert answer.status_code == (allowed if expected == 200 else expected)


async def test_readiness_tells_strangers_nothing_of_services(guarded: Platform) -> None:
    answer = await guarded.get("/readyz")
    assert answer.status_code == 503
    assert "missing" not in answer.json()
    assert (await guarded.get("/livez")).status_code == 200


async def test_a_browser_signs_in_and_out(guarded: Platform) -> None:
    page = {"Accept": "text/html"}
    answer = await guarded.get("/", headers=page)
    assert answer.headers["location"] == "/login?next=/"
    wrong = await guarded.post("/login", data={"token": "nothing"})
    assert wrong.status_code == 401
    assert "not known" in wrong.text
    for target, sent_to in (
        ("/incidents/1", "/incidents/1"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
    ):
        right = await guarded.post("/login", data={"token": "READ-token", "next": target})
        assert (right.status_code, right.headers["location"]) == (303, sent_to)
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    guarded.http.cookies.update(right.cookies)
    assert (await guarded.get("/", headers=page)).status_code == 200
    refused = await guarded.post(ACKNOWLEDGE, json={})
    assert refused.status_code == 403
    assert (await guarded.post("/logout")).status_code == 303
    guarded.http.cookies.update(right.cookies)
    assert (await guarded.get("/api/services")).status_code == 401


async def test_made_up_host_names_are_refused_where_no_token_guards(platform: Platform) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[", "10.0.0.1:80"):
        answer = await platform.get("/api/services", headers={"Host": host})
        assert answer.status_code in {400, 403}, host
    for host in ("localhost", "127.0.0.1:1", "[::1]:8420", "LOCALHOST:80"):
        assert (await platform.get("/livez", headers={"Host": host})).status_code == 200


async def test_foreign_pages_cannot_write(platform: Platform) -> None:
    foreign = {"Origin": "https://evil.example"}
    assert (await platform.post(ACKNOWLEDGE, json={}, headers=foreign)).status_code == 403
    assert (await platform.post("/logout", headers=foreign)).status_code == 403
    assert (await platform.post(ACKNOWLEDGE, data={"by": "x"})).status_code == 415
    plain = {"Content-Type": "text/plain"}
    assert (await platform.post(ACKNOWLEDGE, content="{}", headers=plain)).status_code == 415


async def test_answers_carry_safe_headers(platform: Platform) -> None:
    for path in ("/", "/api/services", "/nothing", "/static/standfast.css"):
        headers = (await platform.get(path)).headers
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        stored = "public, max-age=3600" if path.startswith("/static") else "no-store"
        assert headers["cache-control"] == stored
