"""Two thousand malformed requests: each is told what is wrong and where, none breaks anything."""

from __future__ import annotations

import asyncio
import json
import random
import string
from typing import TYPE_CHECKING, Any

import pytest

from standfast.web import writes
from tests.story import outage, steady

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.web import Platform

REQUESTS = 2_000
SEED = 20261125
PATHS = [
    "/",
    "/api/services",
    "/api/services/{}",
    "/api/incidents",
    "/api/incidents/{}",
    "/api/alerts",
    "/api/alerts/{}",
    "/api/notifications",
    "/api/recoveries",
    "/api/recoveries/{}",
    "/api/events",
    "/api/why/{}",
    "/api/why/service/{}",
    "/api/why/{}/{}",
    "/api/status",
    "/api/projections",
    "/readyz",
    "/metrics",
    "/incidents/{}",
    "/services/{}",
    "/static/{}",
    "/login",
    "/{}",
    "/api/{}",
    "/openapi.json",
]
WRITES = [
    "/api/alerts/{}/acknowledge",
    "/api/recoveries/{}/approve",
    "/api/recoveries/{}/reject",
    "/api/recoveries/{}/cancel",
    "/api/entities/{}/{}/release",
    "/login",
    "/logout",
    "/api/{}",
]
QUERIES = [
    "limit",
    "state",
    "kind",
    "id",
    "since",
    "until",
    "after",
    "q",
    "retired",
    "verbose",
    "next",
    "type",
    "last_event_id",
    "%00",
    "limit[]",
]
ODD = [
    "",
    "%00",
    "%ff%fe",
    "..%2f..%2fetc%2fpasswd",
    "a" * 700,
    "%F0%9F%92%A5",
    "%",
    "%zz",
    "'; DROP",
    "-1",
    "0",
    "1e9",
    "99999999999999999999999",
    "NaN",
    "null",
    "true",
    "%E2%80%AE",
    "a%0Ab",
    "%C0%AF",
    "demo-app",
    "demo-ap",
    "%25",
    "+",
    "a/b/c",
    "%ED%A0%80",
    "{{7*7}}",
    "<script>",
    "%20",
]


class Malformer:
    """Makes requests that are wrong in many ways, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def request(self) -> bytes:
        """Give the bytes of one request, connection closed after it."""
        makers: list[Callable[[], bytes]] = [
            self.read,
            self.read,
            self.write,
            self.write,
            self.method,
            self.noise,
        ]
        return self.chance.choice(makers)()

    def value(self) -> str:
        if self.chance.random() < 0.7:
            return self.chance.choice(ODD)
        letters = string.ascii_letters + string.digits + "%/.:;~!@$&*()_-=+"
        return "".join(self.chance.choices(letters, k=self.chance.randrange(1, 30)))

    def target(self, paths: list[str]) -> str:
        path = self.chance.choice(paths)
        while "{}" in path:
            path = path.replace("{}", self.value().replace(" ", "%20"), 1)
        count = self.chance.choice([0, 0, 1, 2])
        query = "&".join(f"{self.chance.choice(QUERIES)}={self.value()}" for _ in range(count))
        return (path + ("?" + query if query else "")).replace(" ", "%20")

    def read(self) -> bytes:
        return self.raw("GET", self.target(PATHS), {})

    def method(self) -> bytes:
        method = self.chance.choice(["PUT", "DELETE", "PATCH", "TRACE", "BREW", "HEAD", "OPTIONS"])
        headers = {"Content-Type": "application/json"}
        return self.raw(method, self.target(PATHS + WRITES), headers, b"{}")

    def write(self) -> bytes:
        headers = {
            "Content-Type": self.chance.choice(
                ["application/json"] * 6 + ["text/plain", "", "application/json; charset=x", "\x7f"]
            )
        }
        if self.chance.random() < 0.1:
            headers["Origin"] = self.chance.choice(["null", "https://evil.example", "http://[", ""])
        return self.raw("POST", self.target(WRITES), headers, self.body())

    def body(self) -> bytes:
        good = json.dumps({"by": "ann", "comment": "mine"}).encode()
        chance = self.chance
        bodies: list[Callable[[], bytes]] = [
            lambda: good[: chance.randrange(len(good))],
            lambda: bytes(chance.randrange(256) for _ in range(chance.randrange(200))),
            lambda: b"[" * 5_000,
            lambda: b'{"a":' * 40 + b"1" + b"}" * 40,
            lambda: json.dumps({"by": "x" * 300}).encode(),
            lambda: json.dumps({"by": 7, "comment": None, "more": [1]}).encode(),
            lambda: b'{"by": "\\ud800"}',
            lambda: b'{"by": "a\\u0000b"}',
            lambda: b'{"by": NaN}',
            lambda: b'{"by": ' + b"9" * 6_000 + b"}",
            lambda: b'"' + b"x" * (70 * 1024) + b'"',
            lambda: b"\xff\xfe{\x00}\x00",
            lambda: b'{"by": "a", "by": "b"}',
        ]
        return chance.choice(bodies)()

    def noise(self) -> bytes:
        """Give bytes that are hardly HTTP."""
        chance = self.chance
        noises: list[Callable[[], bytes]] = [
            lambda: bytes(chance.randrange(256) for _ in range(chance.randrange(1, 300))),
            lambda: b"GET / HTTP/9.9\r\n\r\n",
            lambda: b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            lambda: b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
            lambda: b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -4\r\n\r\n",
            lambda: self.raw("POST", "/login", {"Content-Length": "99999999999999"}),
            lambda: self.raw("GET", "/api/events?" + "a=1&" * 3_000, {}),
        ]
        return chance.choice(noises)()

    def raw(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
        every = {
            "Host": "127.0.0.1",
            "Connection": "close",
            "Content-Length": str(len(body)),
            "Accept": self.chance.choice(["*/*", "text/html"]),
            **headers,
        }
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in every.items())]
        return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body


async def send(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        if b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" not in request:  # it may lack an end
            writer.write_eof()
        async with asyncio.timeout(20):
            return await reader.read()
    except OSError:
        return b""
    finally:
        writer.close()


async def test_malformed_requests_are_answered_with_what_is_wrong(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writes, "PATIENCE_SECONDS", 0.05)
    await steady(platform.recorder)
    await outage(platform.recorder)
    await platform.projected()
    malformer = Malformer(SEED)
    statuses: dict[int, int] = {}
    for _ in range(REQUESTS // 20):
        requests = [malformer.request() for _ in range(20)]
        answers = await asyncio.gather(*(send(platform.web.port, one) for one in requests))
        for request, answer in zip(requests, answers, strict=True):
            status = check(request, answer)
            statuses[status] = statuses.get(status, 0) + 1
    assert statuses.keys() >= {400, 403, 404, 405, 413, 414, 415, 422, 503}
    assert not [record for record in caplog.records if record.exc_info]
    assert (await platform.get("/api/services")).status_code == 200


def check(request: bytes, answer: bytes) -> int:
    """Check one answer: never a 500 nor a traceback; a problem names what is wrong."""
    shown = request[:300]
    assert b"Traceback" not in answer, shown
    if not answer:
        return 0
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    assert status < 500 or status == 503, (shown, answer[:300])
    if status >= 400 and b"application/problem+json" in head and body:
        problem: dict[str, Any] = json.loads(body)
        assert problem["status"] == status
        assert problem["detail"], shown
    return status


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "told"),
    [
        ("GET", "/api/services/demo-ap", None, 404, "is it demo-app"),
        ("GET", "/api/incidents?state=closed", None, 400, "open, resolved"),
        ("GET", "/api/events?limit=1001", None, 400, "less than or equal to 1000"),
        ("GET", "/api/events?since=yesterday", None, 400, "2026-11-25T12:00:00Z"),
        ("GET", "/api/events?after=-1", None, 400, "greater than or equal to 0"),
        ("GET", "/api/why/Service/x", None, 400, "a kind is lower-case letters"),
        ("GET", "/api/why/service/nobody", None, 404, "nothing ever happened to service/nobody"),
        ("GET", "/api/a%00b", None, 400, "at character 6"),
        ("GET", "/api/%ff", None, 400, "not UTF-8 at byte 5"),
        ("PUT", "/api/services", "{}", 405, "PUT is not possible at /api/services"),
        ("GET", "/api/nothing", None, 404, "/openapi.json lists what there is"),
        ("POST", "/api/alerts/x/acknowledge", '{"by": ', 400, "line 1, column 8"),
        ("POST", "/api/alerts/x/acknowledge", '{\n "by": 1}', 422, "valid string"),
        ("POST", "/api/alerts/x/acknowledge", '{"bye": ""}', 422, "by, comment"),
        ("POST", "/api/alerts/x/acknowledge", "[" * 4000, 400, "nested too deeply"),
        ("POST", "/api/alerts/x/acknowledge", '"' + "x" * 70000 + '"', 413, "65536 bytes"),
        ("POST", "/api/alerts/x/acknowledge", '{"by": "a\\u0007"}', 422, "control characters"),
    ],
)
async def test_problems_say_what_is_wrong_where_and_what_is_valid(
    platform: Platform, method: str, path: str, body: str | None, status: int, told: str
) -> None:
    await steady(platform.recorder)
    await platform.projected()
    headers = {"Content-Type": "application/json"}
    answer = await platform.http.request(method, platform.url + path, content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in json.dumps(answer.json())
