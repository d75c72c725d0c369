"""Real child processes: started once, found again, ended with all they left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from effects.recovery.child import Child, Exited, NeverStarted, Refused, Running
from effects.recovery.process import ChildProcesses
from effects.recovery.running import look_at, members_of, read_record
from tests.integration.child_programs import (
    FORKING,
    ROOT,
    WAIT_SECONDS,
    lives,
    python,
    sleeper,
    started,
    text_of,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
LIBRARY_SIGNALS = 0b11 << 31
"""Signals 32 and 33, which the C library keeps for itself."""


@pytest.fixture
async def children(tmp_path: Path) -> AsyncIterator[ChildProcesses]:
    processes = ChildProcesses(tmp_path / "children")
    yield processes
    for record in processes.directory.glob("*.json"):
        await processes.stop(record.stem)


async def test_a_child_starts_runs_and_stops(children: ChildProcesses) -> None:
    assert children.look("sleeper") == NeverStarted()
    child = await started(children, sleeper())
    look = children.look("sleeper")
    assert isinstance(look, Running)
    assert look.pid == child.pid
    assert abs(look.started_seconds - time.time()) < WAIT_SECONDS
    assert await children.stop("sleeper") == Exited(code=-signal.SIGTERM)
    assert children.look("sleeper") == Exited(code=-signal.SIGTERM)
    assert not lives(child.pid)


async def test_what_never_started_is_neither_stopped_nor_awaited(children: ChildProcesses) -> None:
    assert await children.stop("sleeper") == NeverStarted()
    assert await children.wait_exit("sleeper") == NeverStarted()
    assert children.adopt("sleeper") is None
    assert children.kill("sleeper") == []


async def test_a_second_start_adopts_the_first(children: ChildProcesses) -> None:
    first = await started(children, sleeper())
    second = await started(children, sleeper())
    assert (second.pid, second.run, second.is_adopted) == (first.pid, first.run, True)


async def test_a_restart_gives_a_new_process(children: ChildProcesses) -> None:
    first = await started(children, sleeper())
    second = await children.restart(sleeper())
    assert isinstance(second, Child)
    assert second.pid != first.pid
    assert not lives(first.pid)
    assert lives(second.pid)


async def test_an_exit_code_is_kept(children: ChildProcesses) -> None:
    await started(children, python("raise SystemExit(7)"))
    assert await children.wait_exit("program") == Exited(code=7)
    assert children.look("program") == Exited(code=7)


async def test_a_child_gets_a_clean_environment_and_its_log(
    children: ChildProcesses, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SUPERVISOR", "x")
    code = "import os, json; print(json.dumps(dict(os.environ)), os.getcwd())"
    spec = python(code, environment={"GIVEN": "1"}, working_directory=tmp_path)
    await started(children, spec)
    await children.wait_exit("program")
    output = children.log_path(spec).read_text()
    assert '"GIVEN": "1"' in output
    assert "SECRET_OF_THE_SUPERVISOR" not in output
    assert output.endswith(f"{tmp_path}\n")


async def test_a_child_has_the_default_signals_and_a_session_of_its_own(
    children: ChildProcesses,
) -> None:
    child = await started(children, sleeper())
    status = text_of(f"/proc/{child.pid}/status")
    ignored = int(status.split("SigIgn:")[1].split()[0], 16)
    assert not ignored & ~LIBRARY_SIGNALS, "make hands down those of the C library"
    assert "SigBlk:\t0000000000000000" in status
    seen = look_at(child.pid)
    assert seen is not None
    assert seen.session == seen.group == child.pid


async def test_a_log_that_outgrew_its_bound_is_put_aside_at_start(children: ChildProcesses) -> None:
    spec = python("print('x' * 100)", log_bytes_max=150)
    for _ in range(3):
        await started(children, spec)
        await children.wait_exit("program")
    assert children.log_path(spec).stat().st_size == 101
    assert len(text_of(f"{children.log_path(spec)}.1")) == 202


async def test_a_log_can_be_emptied_while_the_child_writes(children: ChildProcesses) -> None:
    code = """
        import sys, time
        while True:
            print("x" * 99, flush=True)
            time.sleep(0.01)
    """
    spec = python(code, log_bytes_max=1000)
    await started(children, spec)
    await until(lambda: children.log_path(spec).stat().st_size > 1000)
    children.bound_log(spec)
    await until(lambda: children.log_path(spec).stat().st_size > 200)
    assert children.log_path(spec).read_text().startswith("x")
    assert len(text_of(f"{children.log_path(spec)}.1")) > 1000


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"command": ("no-such-program",)}, "the command no-such-program was not found on PATH"),
        ({"command": ("/no/program",)}, "the command /no/program was not found"),
        ({"command": ("/etc/passwd",)}, "the command /etc/passwd is not executable"),
        ({"command": ("/etc",)}, "the command /etc is not executable"),
        ({"command": ("echo", "x" * 100_001)}, "the command is longer than 100000 bytes"),
        ({"working_directory": "/no"}, "the working directory /no does not exist"),
        ({"working_directory": "/etc/hostname"}, "/etc/hostname is not a directory"),
        ({"user": "no-such-user"}, "there is no user no-such-user"),
        ({"log_path": "/no/log"}, "No such file or directory: /no/log"),
    ],
)
async def test_a_mistake_is_refused_with_its_reason(
    children: ChildProcesses, more: dict[str, object], reason: str
) -> None:
    outcome = await children.start(sleeper(**more))
    assert isinstance(outcome, Refused)
    assert reason in outcome.reason
    assert not isinstance(children.look("sleeper"), Running)


async def test_a_failed_exec_is_told_from_inside_the_child(
    children: ChildProcesses, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    outcome = await children.start(sleeper(command=(str(script),)))
    assert isinstance(outcome, Refused)
    assert f"No such file or directory: {script}" in outcome.reason


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_root_runs_a_child_as_another_user(children: ChildProcesses) -> None:
    spec = python("import os; print(os.getuid(), os.getgid(), os.environ['USER'])", user="nobody")
    spec = spec.model_copy(update={"command": ("/bin/sh", "-c", "id -un; echo $USER")})
    await started(children, spec)
    assert await children.wait_exit("program") == Exited(code=0)
    assert children.log_path(spec).read_text() == "nobody\nnobody\n"


async def test_an_unreadable_record_is_no_record(children: ChildProcesses) -> None:
    (children.directory / "sleeper.json").write_text('{"pid": ')
    assert children.look("sleeper") == NeverStarted()
    await started(children, sleeper())


async def test_what_ignores_its_stop_signal_is_killed_after_its_time(
    children: ChildProcesses,
) -> None:
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf", flush=True)
        time.sleep(600)
    """
    spec = python(code, stop_timeout_seconds=0.3)
    await started(children, spec)
    await until(lambda: children.log_path(spec).read_text())
    began = time.monotonic()
    assert await children.stop("program") == Exited(code=-signal.SIGKILL)
    assert 0.3 <= time.monotonic() - began < 5


async def test_the_stop_signal_is_the_one_asked_for(children: ChildProcesses) -> None:
    code = """
        import signal, sys, time
        signal.signal(signal.SIGINT, lambda *_: sys.exit(3))
        print("ready", flush=True)
        time.sleep(600)
    """
    spec = python(code, stop_signal="int")
    await started(children, spec)
    await until(lambda: children.log_path(spec).read_text())
    assert await children.stop("program") == Exited(code=3)


async def test_all_that_a_child_forked_ends_with_it(children: ChildProcesses) -> None:
    spec = python(FORKING)
    await started(children, spec)
    await until(lambda: children.log_path(spec).read_text())
    pids = [int(pid) for pid in children.log_path(spec).read_text().split()]
    assert all(lives(pid) for pid in pids)
    assert isinstance(await children.stop("program"), Exited)
    assert not any(lives(pid) for pid in pids)


async def test_orphans_of_a_killed_child_are_gone_before_it_starts_again(
    children: ChildProcesses,
) -> None:
    spec = python(FORKING)
    child = await started(children, spec)
    await until(lambda: children.log_path(spec).read_text())
    orphans = [int(pid) for pid in children.log_path(spec).read_text().split()]
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: not lives(child.pid))
    assert all(lives(pid) for pid in orphans)
    again = await started(children, spec)
    assert again.pid != child.pid
    assert not again.is_adopted
    assert not any(lives(pid) for pid in orphans)


async def test_kill_hits_the_process_group_and_nothing_else(children: ChildProcesses) -> None:
    spec = python(FORKING)
    child = await started(children, spec)
    await until(lambda: children.log_path(spec).read_text())
    same, own_session, _ = map(int, children.log_path(spec).read_text().split())
    assert sorted(children.kill("program")) == sorted([child.pid, same])
    assert await children.wait_exit("program") == Exited(code=-signal.SIGKILL)
    assert lives(own_session)


async def test_a_supervised_supervisor_takes_no_child_along(children: ChildProcesses) -> None:
    """Children are of the run that started them, not of the one that started their supervisor."""
    inner = ChildProcesses(children.directory / "inner")
    code = f"""
        import asyncio
        from pathlib import Path
        from effects.recovery.child import ChildSpec
        from effects.recovery.process import ChildProcesses
        async def main():
            children = ChildProcesses(Path({str(inner.directory)!r}))
            await children.start(ChildSpec(name="sleeper", command=("sleep", "600")))
            print("started", flush=True)
            await asyncio.sleep(600)
        asyncio.run(main())
    """
    spec = python(code, name="supervisor", working_directory=ROOT)
    await started(children, spec)
    await until(lambda: "started" in children.log_path(spec).read_text())
    assert isinstance(await children.stop("supervisor"), Exited)
    assert isinstance(inner.look("sleeper"), Running)
    await inner.stop("sleeper")


async def test_members_are_found_by_what_they_inherited(children: ChildProcesses) -> None:
    spec = python(FORKING)
    child = await started(children, spec)
    await until(lambda: children.log_path(spec).read_text())
    record = read_record(children.directory / "program.json")
    assert record is not None
    forked = [int(pid) for pid in children.log_path(spec).read_text().split()]
    assert sorted(seen.pid for seen in members_of(record)) == sorted([child.pid, *forked])
