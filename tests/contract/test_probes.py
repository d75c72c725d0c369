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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from effects.probes.any import AnyProbe
from effects.probes.tcp import TcpProbe, is_connected_to_itself
from effects.recovery.child import Child, ChildSpec
from effects.recovery.process import ChildProcesses
from effects.secrets import SecretUnavailableError, hide, resolve
from events.server import free_port
from events.service import CommandCheck, ProcessCheck, TcpCheck
from tests.serving import SECRET, http, look, silent, talking
from tests.waiting import is_gone, until, wait_dead

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def command(*words: str, **more: object) -> CommandCheck:
    fields = {"name": "command", "command": words, "timeout_seconds": 5.0, **more}
    return CommandCheck.model_validate(fields)


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


async def test_a_connection_to_itself_is_none() -> None:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        end.connect(end.getsockname())
        end.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=end)
        assert is_connected_to_itself(transport)
        transport.close()


async def test_tcp_says_who_refused_and_which_name_is_unknown() -> None:
    port = free_port()
    refused = await look(TcpCheck(name="tcp", port=port))
    unknown = await look(TcpCheck(name="tcp", host="no-such-host.invalid", port=port))
    assert refused.reason == f"connection refused by 127.0.0.1:{port}"
    assert unknown.reason.startswith("the name no-such-host.invalid can't be resolved: ")


@pytest.mark.parametrize(
    ("words", "succeeded", "reason"),
    [
        (("true",), True, ""),
        (("sh", "-c", "echo 'OK | a=1'"), True, ""),
        (("sh", "-c", "echo 'disk at 91% | disk=91'; exit 1"), True, "warning: disk at 91%"),
        (("sh", "-c", "echo gone; exit 2"), False, "critical: gone"),
        (("sh", "-c", "exit 2"), False, "critical (sh said nothing and ended with 2)"),
        (("sh", "-c", "echo ?; exit 3"), False, "the command could not tell: ?"),
        (("sh", "-c", "echo x; exit 9"), False, "the command ended with code 9: x"),
        (("sh", "-c", "echo x; kill -9 $$"), False, "the command was killed by signal 9: x"),
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
