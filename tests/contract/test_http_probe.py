"""An HTTP probe says what a real server does, keeps its time, and keeps secrets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from effects.probes.http import HttpProbe
from events.server import free_port
from tests.serving import SECRET, http, look, served, silent, talking

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def answer(request: web.Request) -> web.Response:
    match request.path:
        case "/broken":
            return web.Response(status=503)
        case "/hello":
            return web.Response(text="all is ok here")
        case "/big":
            return web.Response(body=b"x" * 3_000_000 + b"needle")
        case "/loop":
            raise web.HTTPFound("/loop")
        case "/once":
            raise web.HTTPSeeOther("/hello")
        case "/nowhere":
            raise web.HTTPFound("ftp://127.0.0.1/")
        case _:
            return web.Response(text=request.headers.get("X-Token", "no token"))


@pytest.mark.parametrize(
    ("path", "more", "succeeded", "reason"),
    [
        ("hello", {}, True, ""),
        ("hello", {"expected_text": "is ok"}, True, ""),
        ("hello", {"expected_text": "fine"}, False, "text 'fine' not found"),
        ("broken", {}, False, "status 503, wanted 200-399"),
        ("broken", {"expected_statuses": (503,)}, True, ""),
        ("hello", {"expected_statuses": (201, 204)}, False, "status 200, wanted 201, 204"),
        ("once", {"method": "POST", "expected_text": "is ok"}, True, ""),
        ("once", {"expected_statuses": (303,)}, True, ""),
        ("loop", {}, False, "more than 5 redirects"),
        ("nowhere", {}, False, "the URL of the check, or one it leads to, is not an HTTP URL"),
        ("big", {"expected_text": "needle"}, False, "text 'needle' not found in the first 1 MiB"),
        ("x", {"method": "HEAD"}, True, ""),
    ],
)
async def test_http_judges_the_answer(
    path: str, more: dict[str, object], succeeded: bool, reason: str
) -> None:
    async with served(answer) as port:
        seen = await look(http(port, url=f"http://127.0.0.1:{port}/{path}", **more))
    assert (seen.succeeded, seen.reason) == (succeeded, reason)
    assert 0 < seen.duration_seconds < 1


async def test_http_says_who_refused() -> None:
    port = free_port()
    seen = await look(http(port))
    assert (seen.succeeded, seen.reason) == (False, f"connection refused by 127.0.0.1:{port}")


async def test_http_gives_a_half_open_server_only_its_time() -> None:
    async with talking(silent) as port:
        seen = await look(http(port, timeout_seconds=0.2))
    assert seen.reason == f"no answer from 127.0.0.1:{port} within 0.2 s"
    assert 0.2 <= seen.duration_seconds < 0.5


async def test_http_gives_a_slow_body_only_its_time() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        slow = web.StreamResponse()
        await slow.prepare(request)
        await slow.write(b"a")
        await asyncio.Event().wait()
        return slow

    async with served(drip) as port:
        seen = await look(http(port, timeout_seconds=0.2))
    assert not seen.succeeded
    assert seen.reason == f"no answer from 127.0.0.1:{port} within 0.2 s"


@pytest.mark.parametrize(
    ("spoken", "reason"),
    [
        (b"", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "broke off"),
    ],
)
async def test_http_tells_strange_answers_apart(spoken: bytes, reason: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(spoken)
        await writer.drain()

    async with talking(talk) as port:
        seen = await look(http(port))
    assert not seen.succeeded
    assert reason in seen.reason


async def test_http_sends_a_secret_and_never_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_TOKEN", SECRET)
    async with served(answer) as port:
        good = await look(http(port, headers={"X-Token": "env:PROBE_TOKEN"}, expected_text=SECRET))
        bad = await look(http(port, headers={"X-Token": "env:PROBE_TOKEN"}, expected_text="none"))
        unset = await look(http(port, headers={"X-Token": "env:NOT_SET"}))
        user = await look(http(port, url=f"http://u:{SECRET}@127.0.0.1:{free_port()}/{SECRET}"))
        broken = await look(http(port, headers={"X-Token": f"{SECRET}\r\nX-More: 1"}))
    assert good.succeeded
    assert unset.reason == "the environment variable NOT_SET is not set"
    assert broken.reason == "the probe itself failed: ValueError"
    assert all(SECRET not in seen.reason for seen in (bad, unset, user, broken))


async def test_http_carries_no_header_to_another_origin() -> None:
    async with served(answer) as other:

        async def away(_: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(f"http://127.0.0.1:{other}/x")

        async with served(away) as port:
            seen = await look(http(port, headers={"X-Token": SECRET}, expected_text="no token"))
    assert seen.reason == ""


async def test_http_waits_for_a_place_without_blaming_the_service() -> None:
    calls = 0

    async def slow(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.3)
        return web.Response()

    async with served(slow) as port:
        probe = HttpProbe()
        many = await asyncio.gather(
            *(probe.probe(http(port, timeout_seconds=20.0)) for _ in range(200))
        )
        await probe.close()
    assert calls == 200
    assert all(seen.succeeded for seen in many)


async def test_a_nameless_url_is_a_failure_of_that_probe_alone() -> None:
    for url in ("", "no url at all", "http://", "http://[::1", "http://h:99999/", "gopher://h/"):
        seen = await look(http(1, url=url))
        assert not seen.succeeded, url
        assert seen.reason, url
