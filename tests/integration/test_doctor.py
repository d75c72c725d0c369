"""The doctor names what is wrong and which command helps, and never falls ill itself."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import socket
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psutil

from actors.runtime import description, policy_runner
from actors.runtime.solo import SoloWriter
from events.address import EntityAddress
from events.commit import DIGEST_HEADER, digest_of
from events.host import HostClockStepped
from events.service import ServiceProbeRequested
from events.state_stream import close_state_stream, find_state_stream, reopen_state_stream
from events.subjects import state_subject
from standfast.doctor import examine as examining
from standfast.doctor import machine, processes, ray
from standfast.doctor.examine import examine
from standfast.doctor.finding import Patient
from standfast.emergency.diagnosis import Diagnosis
from standfast.emergency.emergency import Emergency
from standfast.running import supervisor_pid
from standfast.watchdog.status import STATUS, OpenPage, WatchdogStatus, write_status
from tests.history import AUTHOR, Recorder
from tests.incident import DATABASE, Outage, live_through_an_outage
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from actors.runtime.commands import Answer
    from standfast.doctor.finding import Finding
    from tests.fixtures.stand import Stand


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in findings}


@contextmanager
def supervised(stand: Stand) -> Iterator[int]:
    """Hold the lock of a state directory, as its supervisor does."""
    with stand.directory.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield os.getpid()


async def test_nothing_that_runs_is_an_error_with_a_command(history: Stand) -> None:
    ran = await history.run("doctor", "--json")
    assert ran.code == 1, ran
    wrong = [one for one in ran.json["findings"] if one["state"] == "error"]
    assert [(one["name"], one["command"]) for one in wrong] == [("supervisor", "standfast up")]
    shown = await history.run("doctor")
    assert "standfast up" in shown.out


async def test_a_missing_directory_is_an_error(stand: Stand) -> None:
    shutil.rmtree(stand.directory.root)
    found = by_name(await examine(stand.directory))
    assert found["state directory"].state == "error"
    assert found["state directory"].command == "standfast up"


async def test_a_directory_of_somebody_else_is_no_state_directory(stand: Stand) -> None:
    shutil.rmtree(stand.directory.root)
    (stand.directory.root / "log").mkdir(parents=True)
    found = by_name(await examine(stand.directory))
    assert found["state directory"].state == "error"
    assert "holds nothing of Standfast's" in found["state directory"].message


async def test_what_runs_without_heartbeats_and_hosts_is_found(history: Stand) -> None:
    log = await history.open()
    with supervised(history) as pid:
        assert supervisor_pid(history.directory) == pid
        found = by_name(await examine(history.directory))
    assert found["supervisor"].state == "ok"
    assert found["log"].state == "ok"
    assert found["heartbeats"].state == "error"
    assert "prober" in found["heartbeats"].message
    assert found["hosts"].state == "error"
    assert found["process prober"].state == "error"
    assert found["process prober"].command.startswith("tail")
    assert found["web"].state == "error"
    assert await log.head_sequence() > 0


async def test_hosts_that_serve_are_well(stand: Stand) -> None:
    log = await stand.open()
    await live_through_an_outage(stand, log)
    with supervised(stand):
        found = by_name(await examine(stand.directory))
    assert found["hosts"].state == "ok"
    assert found["builds"].state == "warning"  # those of the test are of no real build


async def test_answered_orders_do_not_wait_and_others_do(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await stand.open()
    await live_through_an_outage(stand, log)
    monkeypatch.setattr(description, "PATIENCE", timedelta(0))
    with supervised(stand):
        await until(lambda: stand.host is not None and not stand.host.runners.waiting(_later()))
        found = by_name(await examine(stand.directory))
        assert found["policies"].state == "ok", found["policies"]
        monkeypatch.setattr(policy_runner, "deliver", _never_answered)
        story = Outage(log, stand.commands())
        await story.report(DATABASE, "down")
        await until(lambda: stand.host is not None and stand.host.runners.waiting(_later()))
        found = by_name(await examine(stand.directory))
    assert found["policies"].state == "warning"
    assert "orders of correlate wait for an answer: 1 to incident/" in found["policies"].message
    assert found["policies"].command.startswith("tail")


async def _never_answered(*_request: object) -> Answer:
    await asyncio.sleep(60)
    raise AssertionError


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


async def test_a_log_that_was_given_a_limit_is_named_before_and_when_it_is_reached(
    stand: Stand,
) -> None:
    log = await stand.open()
    await stand.serve(log)
    recorder = Recorder(log)
    for number in range(20):  # a fifth of the log is more than the smallest commit
        await recorder.append("service/elsewhere", ServiceProbeRequested(reason=f"probe {number}"))
    manager = log.client.jsm()
    info = await manager.stream_info(log.stream)
    with supervised(stand):
        for limit, state in ((1.2, "warning"), (1.0, "error"), (2.0, "ok")):
            most = int(info.state.bytes * limit)
            await manager.update_stream(info.config.evolve(max_bytes=most))
            found = by_name(await examine(stand.directory))["log"]
            assert found.state == state, found
            assert (f"nats stream edit {log.stream}" in found.command) == (state != "ok")
        await manager.update_stream(info.config.evolve(max_bytes=-1))


async def test_an_unreachable_log_is_an_error(history: Stand) -> None:
    with supervised(history):
        found = by_name(await examine(history.directory))
    assert found["log"].state == "error"
    assert found["log"].command == "standfast up"


async def test_a_log_that_a_killed_restore_left_closed_is_named(stand: Stand) -> None:
    log = await stand.open()
    stream = await find_state_stream(log.client)
    assert stream is not None
    await close_state_stream(log.client, stream)
    with supervised(stand):
        found = by_name(await examine(stand.directory))
        assert found["log"].state == "error"
        assert "it is closed: a restore is under way, or one was killed" in found["log"].message
    assert await reopen_state_stream(log.client) is not None  # as `standfast up` does


async def test_quarantine_and_clock_steps_are_found(stand: Stand) -> None:
    log = await stand.open()
    recorder = Recorder(log)
    await recorder.append("host/a", HostClockStepped(offset_seconds=3600))
    recorder.now = recorder.now.replace(year=2100)
    address = EntityAddress("service", "x")
    headers = {DIGEST_HEADER: digest_of(b"junk").hex()}
    await log.client.jetstream().publish(state_subject(address), b"junk", headers=headers)
    await recorder.append("host/a", HostClockStepped(offset_seconds=3600))
    writer = await SoloWriter.open(log, AUTHOR, "test", address)
    assert writer.entity.quarantine is not None
    await recorder.append("alert/y", writer.entity.quarantine)
    await stand.catch_up(log)
    found = by_name(await examine(stand.directory))
    assert found["projections"].state == "warning"
    assert found["quarantine"].command.startswith("standfast release 'alert/y'")
    assert found["clock"].state == "warning"


async def test_a_lost_end_of_the_log_is_found(history: Stand) -> None:
    streams = history.directory.log / "data" / "jetstream"
    shutil.rmtree(next(streams.glob("*/streams/STANDFAST_STATE")))
    await history.open()
    found = by_name(await examine(history.directory))
    assert found["projections"].state == "error"
    assert found["projections"].command == "standfast verify"


async def test_files_that_others_may_read_are_an_error(history: Stand) -> None:
    history.directory.runtime.chmod(0o644)
    (found,) = await machine.state_directory(Patient(history.directory))
    assert (found.state, found.command.split()[0]) == ("error", "chmod")


async def test_a_full_disk_is_told_early(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    total = 1000 * machine.GIB
    for share, state in ((0.5, "ok"), (0.80, "warning"), (0.96, "error")):
        used = int(total * share)
        usage = shutil.disk_usage("/")._replace(total=total, used=used, free=total - used)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path, usage=usage: usage)
        (found,) = await machine.disk(Patient(stand.directory))
        assert found.state == state


async def test_a_port_that_a_stranger_took_is_named(stand: Stand) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert str(os.getpid()) in processes.stranger_on(port, None)
        assert processes.stranger_on(port, os.getpid()) == ""
        assert processes.stranger_on(port, psutil.Process().ppid()) == ""
    assert processes.stranger_on(0, None) == ""
    assert stand.directory.root.exists()


async def test_ray_must_ask_for_its_token(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await ray.token(Patient(stand.directory)) == []
    monkeypatch.setattr(ray, "pid_of", lambda _children, _name: os.getpid())
    (missing,) = await ray.token(Patient(stand.directory))
    stand.directory.ray.mkdir()
    token = stand.directory.ray / "token"
    token.write_text("t")
    token.chmod(0o644)
    (readable,) = await ray.token(Patient(stand.directory))
    token.chmod(0o600)
    (unasked,) = await ray.token(Patient(stand.directory))
    monkeypatch.setattr(ray, "_environment", lambda _pid: b"A=1\0RAY_AUTH_MODE=token\0")
    (well,) = await ray.token(Patient(stand.directory))
    assert "missing" in missing.message
    assert readable.command.startswith("chmod 600")
    assert "does not ask" in unasked.message
    assert well.state == "ok"


async def test_a_check_that_fails_is_a_finding_and_stops_no_other(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken_check(_patient: Patient) -> list[Finding]:
        raise RuntimeError("No space left on device")

    monkeypatch.setattr(examining, "CHECKS", (broken_check, machine.disk))
    first, second = await examine(stand.directory)
    assert (first.name, first.state) == ("broken check", "error")
    assert "the disk is full" in first.message
    assert second.name == "disk"


async def test_a_stopped_process_is_named_with_the_command_that_helps(stand: Stand) -> None:
    path = stand.directory.processes / "log.log"
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    sleeper.send_signal(signal.SIGSTOP)
    await until(lambda: psutil.Process(sleeper.pid).status() == psutil.STATUS_STOPPED)
    found = processes.look_at("log", sleeper.pid, path, os.getpid())
    sleeper.kill()
    await sleeper.wait()
    assert (found.state, found.command) == ("error", f"kill -CONT {sleeper.pid}")


async def test_what_waits_for_the_log_and_a_watchdog_that_is_away_are_named(
    history: Stand,
) -> None:
    emergency = Emergency(history.directory.emergency)
    emergency.begin(datetime.now(UTC), Diagnosis("its disk is full"), {})
    emergency.settle(5)
    with supervised(history):
        found = by_name(await examine(history.directory))
        assert found["emergency"].state == found["watchdog"].state == "error"
        assert "its disk is full" in found["emergency"].message
        emergency.end()
        emergency.settle(5)
        _watch(history, datetime.now(UTC))
        found = by_name(await examine(history.directory))
        assert "emergency" not in found
        assert found["page"].message.startswith("Standfast is silent")
        assert "team could not be told: refused" in found["receivers"].message
        assert found["dead man's switch"].state == "error"
        assert "ADDRESS" not in found["dead man's switch"].command, "that would be a sign of life"
        _watch(history, datetime.now(UTC) - timedelta(minutes=5))
        found = by_name(await examine(history.directory))
        assert "it does not watch" in found["watchdog"].message
    emergency.close()


def _watch(stand: Stand, now: datetime) -> None:
    """Leave what a watchdog says of itself."""
    page = OpenPage(alert="StandfastSilent", summary="Standfast is silent", opened=now, heard=())
    status = WatchdogStatus(
        written=now,
        heard=now,
        is_fresh=True,
        pages=(page,),
        troubles={"team": "refused"},
        dead_man_trouble="https://example.org could not be reached",
    )
    stand.directory.watchdog.mkdir(exist_ok=True)
    write_status(stand.directory.watchdog / STATUS, status)
