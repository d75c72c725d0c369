"""Each probe says what a real service does, in words that people understand, and keeps secrets."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from effects.probes.any import AnyProbe
from effects.probes.http import HttpProbe
from effects.probes.tcp import TcpProbe
from effects.recovery.child import Child, ChildSpec
from effects.recovery.process import ChildProcesses
from effects.secrets import SecretUnavailableError, hide, resolve
from events.server import free_port
from events.service import Check, CommandCheck, HttpCheck, ProcessCheck, TcpCheck
from tests.waiting import is_gone, until, wait_dead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from effects.ports import Observed

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SECRET = "c0rrect-horse"


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[int]:
    """Serve every path by one handler."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[int]:
    """Serve raw TCP."""

    async def spoken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(spoken, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def http(port: int, **more: object) -> HttpCheck:
    fields = {"name": "http", "url": f"http://127.0.0.1:{port}/x", "timeout_seconds": 1.0, **more}
    return HttpCheck.model_validate(fields)


def command(*words: str, **more: object) -> CommandCheck:
    fields = {"name": "command", "command": words, "timeout_seconds": 5.0, **more}
    return CommandCheck.model_validate(fields)


async def look(check: Check, children: Path | None = None) -> Observed:
    probe = AnyProbe(children)
    try:
        return await probe.probe(check)
    finally:
        await probe.close()


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
        many = await asyncio.gather(*(probe.probe(http(port)) for _ in range(200)))
        await probe.close()
    assert calls == 200
    assert all(seen.succeeded for seen in many)


async def test_our_own_want_of_descriptors_says_nothing_about_the_service() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = os.dup(0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, hard))
        taken = fill_descriptors()
        try:
            seen = await TcpProbe().probe(TcpCheck(name="tcp", port=server.getsockname()[1]))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in [last, *taken]:
                os.close(descriptor)
    assert seen.own_fault
    assert "the prober itself can't connect" in seen.reason


def fill_descriptors() -> list[int]:
    taken = []
    while True:
        try:
            taken.append(os.dup(0))
        except OSError:
            return taken


async def test_tcp_accepts_whoever_accepts() -> None:
    async with talking(silent) as port:
        seen = await look(TcpCheck(name="tcp", port=port))
    assert (seen.succeeded, seen.reason) == (True, "")


async def test_tcp_says_who_refused_and_which_name_is_unknown() -> None:
    port = free_port()
    refused = await look(TcpCheck(name="tcp", port=port))
    unknown = await look(TcpCheck(name="tcp", host="no-such-host.invalid", port=port))
    assert refused.reason == f"connection refused by 127.0.0.1:{port}"
    assert unknown.reason.startswith("the name no-such-host.invalid can't be resolved: ")


async def test_a_nameless_url_is_a_failure_of_that_probe_alone() -> None:
    for url in ("", "no url at all", "http://", "http://[::1", "http://h:99999/", "gopher://h/"):
        seen = await look(http(1, url=url))
        assert not seen.succeeded, url
        assert seen.reason, url


@pytest.mark.parametrize(
    ("words", "succeeded", "reason"),
    [
        (("true",), True, ""),
        (("sh", "-c", "echo 'OK | a=1'"), True, ""),
        (("sh", "-c", "echo 'disk at 91% | disk=91'; exit 1"), True, "warning: disk at 91%"),
        (("sh", "-c", "echo gone; exit 2"), False, "critical: gone"),
        (("sh", "-c", "exit 3"), False, "the command could not tell"),
        (("sh", "-c", "exit 9"), False, "the command ended with code 9"),
        (("sh", "-c", "kill -9 $$"), False, "the command was killed by signal 9"),
        (("/no/such/command",), False, "/no/such/command can't be run: No such file or directory"),
    ],
)
async def test_a_command_speaks_by_its_exit_code(
    words: tuple[str, ...], succeeded: bool, reason: str
) -> None:
    seen = await look(command(*words))
    assert (seen.succeeded, seen.reason) == (succeeded, reason)


async def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 100 & echo $! >> {pids}; echo $$ >> {pids}; wait"
    seen = await look(command("sh", "-c", script, timeout_seconds=0.5))
    assert seen.reason == "the command did not end within 0.5 s"
    assert seen.duration_seconds < 2
    for pid in pids.read_text().split():
        await until(partial(is_gone, int(pid)))


async def test_a_command_leaves_no_children_behind_and_they_do_not_hold_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    seen = await look(command("sh", "-c", f"sleep 100 & echo $! > {pids}; echo fine; exit 2"))
    assert seen.reason == "critical: fine"
    await until(partial(is_gone, int(pids.read_text())))


async def test_a_command_that_never_stops_talking_is_bounded() -> None:
    seen = await look(command("sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x; exit 2"))
    assert seen.reason.startswith("critical: xxx")
    assert len(seen.reason) < 400


async def test_a_cancelled_command_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    probing = asyncio.create_task(look(command("sh", "-c", f"echo $$ > {pids}; exec sleep 100")))
    await until(lambda: pids.exists() and pids.read_text())
    probing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probing
    assert is_gone(int(pids.read_text()))


async def test_a_command_gets_its_secret_and_its_output_hides_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    monkeypatch.setenv("LEAKED", "must not be inherited")
    seen = await look(
        command(
            "sh",
            "-c",
            "echo token is $TOKEN, leaked is $LEAKED; exit 2",
            environment={"TOKEN": f"file:{tmp_path}/token"},
        )
    )
    assert seen.reason == "critical: token is ***, leaked is"


async def test_a_process_is_found_by_its_pid_file_and_a_zombie_is_dead(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    check = ProcessCheck(name="process", pid_file=str(path))
    missing = await look(check)
    process = sleeper()
    path.write_text(f"{process.pid}\n")
    alive = await look(check)
    process.kill()
    wait_dead(process.pid)
    zombie = await look(check)
    process.communicate()
    gone = await look(check)
    path.write_text("nonsense")
    nonsense = await look(check)
    assert missing.reason == f"the pid file {path} can't be read: No such file or directory"
    assert alive.succeeded
    assert zombie.reason == f"process {process.pid} has ended (it is a zombie)"
    assert gone.reason == f"process {process.pid} does not run"
    assert nonsense.reason == f"the pid file {path} holds no pid"


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])


async def test_a_child_is_found_by_its_name(tmp_path: Path) -> None:
    children = ChildProcesses(tmp_path)
    check = ProcessCheck(name="process", child="sleeper")
    before = await look(check, tmp_path)
    child = await children.start(ChildSpec(name="sleeper", command=("sleep", "100")))
    assert isinstance(child, Child)
    alive = await look(check, tmp_path)
    os.kill(child.pid, signal.SIGKILL)
    wait_dead(child.pid)
    dead = await look(check, tmp_path)
    await children.stop("sleeper")
    assert before.reason == "sleeper was never started"
    assert alive.succeeded
    assert not dead.succeeded
    assert dead.reason.startswith("sleeper has ended")


async def test_a_process_check_without_a_process_says_so() -> None:
    nothing = await look(ProcessCheck(name="process"))
    unknown = await look(ProcessCheck(name="process", child="x"))
    evil = await look(ProcessCheck(name="process", child="../../etc"), Path("/tmp"))
    assert nothing.reason == "the check names neither a child nor a pid file"
    assert unknown.reason == "the child x can't be found: this prober knows no children"
    assert evil.reason.startswith("the probe itself failed")


def test_secrets_are_resolved_where_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)
    path = tmp_path / "secret"
    path.write_bytes(SECRET.encode() + b"\r\n")
    assert resolve("plain") == "plain"
    assert resolve("env:A_SECRET") == SECRET
    assert resolve(f"file:{path}") == SECRET
    assert hide(f"a {SECRET} b", ["env:A_SECRET", "plain"]) == "a *** b"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_refused_without_its_content(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(SecretUnavailableError, match=str(path)):
        resolve(f"file:{path}")
    with pytest.raises(SecretUnavailableError, match="can't be read"):
        resolve(f"file:{path}/none")


async def test_probes_of_one_loop_run_side_by_side() -> None:
    async with talking(silent) as port:
        start = time.monotonic()
        probe = AnyProbe()
        checks = [http(port, timeout_seconds=0.4) for _ in range(40)]
        await asyncio.gather(*(probe.probe(check) for check in checks))
        await probe.close()
    assert time.monotonic() - start < 2
