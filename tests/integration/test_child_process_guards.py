"""Nothing is started twice and no stranger is signalled, whoever is killed at whatever moment."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from effects.recovery.child import Child, Exited, Refused, Running, Zombie
from effects.recovery.process import ChildProcesses
from effects.recovery.running import look_at, pids_with_open, read_record
from tests.integration.child_programs import (
    WAIT_SECONDS,
    lives,
    python,
    sleeper,
    started,
    stranger_process,
    supervise,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def children(tmp_path: Path) -> AsyncIterator[ChildProcesses]:
    processes = ChildProcesses(tmp_path / "children")
    yield processes
    for record in processes.directory.glob("*.json"):
        await processes.stop(record.stem)


async def test_a_successor_finds_what_a_killed_supervisor_left(children: ChildProcesses) -> None:
    with supervise(children.directory, "os.kill(os.getpid(), signal.SIGKILL)") as supervisor:
        output, _ = supervisor.communicate(timeout=WAIT_SECONDS)
    assert supervisor.returncode == -signal.SIGKILL
    pid = int(output.split()[1])
    assert lives(pid)
    child = await started(children, sleeper())
    assert (child.pid, child.is_adopted) == (pid, True)
    waiting = asyncio.create_task(children.wait_exit("sleeper"))
    assert await children.stop("sleeper") == Exited(code=None)
    assert isinstance(await waiting, Exited | Zombie)
    assert not lives(pid)


async def test_a_supervisor_killed_at_any_moment_leaves_at_most_one(
    children: ChildProcesses,
) -> None:
    """Kill -9 between fork, lock, record and exec: what a successor sees is all there will be."""
    for step in range(20):
        with supervise(children.directory, "await asyncio.sleep(600)") as supervisor:
            assert supervisor.stdout is not None
            await asyncio.to_thread(supervisor.stdout.readline)
            await asyncio.sleep(step * 0.002)
            supervisor.kill()
        seen = children.look("sleeper")
        if not isinstance(seen, Running):  # a late launcher records itself, and gives up
            await until(lambda: not isinstance(children.look("sleeper"), Running))
        child = await started(children, sleeper())
        assert isinstance(seen, Running) or not child.is_adopted
        await until(lambda: len(pids_with_open(children.directory / "sleeper.lock")) == 1)
        assert pids_with_open(children.directory / "sleeper.lock") == [child.pid]
        assert isinstance(await children.stop("sleeper"), Exited)


@pytest.mark.parametrize("closes", [False, True])
async def test_of_many_starts_at_once_one_process_results(
    children: ChildProcesses, *, closes: bool
) -> None:
    """Also of a program that closes the lock it inherited: then the record is the guard."""
    close = "os.closerange(3, 100);" if closes else ""
    code = f"import os, time; {close} print(os.getpid(), flush=True); time.sleep(600)"
    spec = python(code)
    for _ in range(10):
        others = [ChildProcesses(children.directory) for _ in range(4)]
        found = await asyncio.gather(*(other.start(spec) for other in others))
        pids = {child.pid for child in found if isinstance(child, Child)}
        assert len(pids) == 1, found
        assert sum(isinstance(child, Child) and not child.is_adopted for child in found) == 1
        await until(lambda: children.log_path(spec).read_text())
        assert isinstance(await children.stop("program"), Exited)
        assert children.log_path(spec).read_text().split() == [str(pid) for pid in pids]
        children.log_path(spec).unlink()


async def test_of_two_supervising_processes_one_starts_and_one_adopts(
    children: ChildProcesses,
) -> None:
    for _ in range(5):
        with (
            supervise(children.directory, "pass") as one,
            supervise(children.directory, "pass") as two,
        ):
            outputs = [process.communicate(timeout=WAIT_SECONDS)[0] for process in (one, two)]
        _, pids, adopted = zip(*(output.split() for output in outputs), strict=True)
        assert pids[0] == pids[1]
        assert sorted(adopted) == ["False", "True"]
        assert isinstance(await children.stop("sleeper"), Exited)


async def test_a_zombie_of_ours_is_reaped_and_counts_as_exited(children: ChildProcesses) -> None:
    child = await started(children, sleeper())
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: not lives(child.pid))
    assert children.look("sleeper") == Exited(code=-signal.SIGKILL)
    assert look_at(child.pid) is None


async def test_a_zombie_of_another_parent_is_noticed_and_replaced(
    children: ChildProcesses,
) -> None:
    code = "await asyncio.sleep(600)"
    with supervise(children.directory, code) as supervisor:
        await until(lambda: isinstance(children.look("sleeper"), Running))
        record = read_record(children.directory / "sleeper.json")
        assert record is not None
        os.kill(record.pid, signal.SIGKILL)
        await until(lambda: not lives(record.pid))
        assert children.look("sleeper") == Zombie(pid=record.pid)
        assert await children.wait_exit("sleeper") == Zombie(pid=record.pid)
        child = await started(children, sleeper())
        assert child.pid != record.pid
        supervisor.kill()


async def test_a_used_again_pid_is_neither_running_nor_signalled(children: ChildProcesses) -> None:
    await started(children, sleeper())
    with stranger_process() as stranger:
        path = children.directory / "sleeper.json"
        original = path.read_text()
        path.write_text(json.dumps({**json.loads(original), "pid": stranger.pid, "run": "0" * 32}))
        assert children.look("sleeper") == Exited(code=None)
        assert children.kill("sleeper") == []
        assert await children.stop("sleeper") == Exited(code=None)
        assert stranger.poll() is None
        stranger.kill()
        path.write_text(original)


async def test_a_record_of_an_earlier_boot_names_nobody(children: ChildProcesses) -> None:
    child = await started(children, sleeper())
    path = children.directory / "sleeper.json"
    original = path.read_text()
    path.write_text(json.dumps({**json.loads(original), "boot_id": "another"}))
    assert children.look("sleeper") == Exited(code=None)
    assert await children.stop("sleeper") == Exited(code=None)
    assert lives(child.pid)
    path.write_text(original)


async def test_a_lock_held_by_a_stranger_is_named(
    children: ChildProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("effects.recovery.process.LOCK_TIMEOUT_SECONDS", 0.2)
    with (children.directory / "sleeper.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = await children.start(sleeper())
    assert isinstance(outcome, Refused)
    assert "is held by a process that sleeper did not start" in outcome.reason
    assert str(os.getpid()) in outcome.reason
