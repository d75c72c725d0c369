"""Disks that are full or dying: what was accepted stays accepted, and nothing else is claimed."""

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from events.log import Log
from events.server import connect, server_command
from events.streams import StreamLimits, ensure_streams
from scenarios.faults.injectors.disk import refuse_syncs
from standfast.paths import StateDirectory
from standfast.runtime import Situation
from standfast.supervisor.layout import HOSTED
from tests.fixtures.checked import ACKNOWLEDGED, HELD, CheckedRun
from tests.fixtures.nats import NatsServer
from tests.flow import Flow, broken, check, configure, flowing, hosted
from tests.hosting import Hosting
from tests.small_disk import SmallDisk
from tests.standing import Standing
from tests.waiting import until

SMALL = StreamLimits(telemetry_bytes_max=4 << 20, checkpoint_bytes_max=4 << 20)
WAITING = 30


class OnSmallDisk(NatsServer):
    """A server that keeps its data on a small disk."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        (directory / "data").mkdir()
        self.disk = SmallDisk(directory / "data")

    def _run(self) -> subprocess.Popen[bytes]:
        command = ["nsenter", "--target", str(self.disk.holder.pid), "--mount", "--"]
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                [*command, *server_command(self.directory)], stdout=log, stderr=log
            )


@pytest.fixture
def small(tmp_path: Path) -> Iterator[OnSmallDisk]:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare")
    server = OnSmallDisk(tmp_path / "small")
    server.start()
    yield server
    server.stop()
    server.disk.end()


@pytest.fixture
async def watched(request: pytest.FixtureRequest) -> AsyncIterator[tuple[NatsServer, Log]]:
    """Give a server by the name of its fixture, with services on it that are watched."""
    server: NatsServer = request.getfixturevalue(request.param)
    client = await connect(server.address, "test")
    await ensure_streams(client, SMALL)
    log = await Log.open(client)
    await configure(Hosting(server.address, log))
    yield server, log
    await client.close()


async def _through(
    server: NatsServer, log: Log, directory: Path, hurt: Callable[[Flow], Awaitable[None]]
) -> None:
    """Let commands flow while the server is hurt and mended; it starts anew afterwards."""
    async with hosted(server.address, directory):
        async with flowing(server.address, directory) as flow:
            await flow.goes_on()
            await hurt(flow)
            server.stop()
            server.start()
            await flow.goes_on(timeout_seconds=60)
        report = await check(log, directory)
    assert report.is_clean, broken(report)


async def _until_refused(server: NatsServer, flow: Flow, error: str) -> None:
    """Wait until the server has met the error, and commands wait for it."""

    def is_refused() -> bool:
        waiting = flow.worker.log.in_flight.count
        return waiting >= WAITING and error in server.log_path.read_text()

    await until(is_refused, 30)


@pytest.mark.parametrize("watched", ["small"], indirect=True)
async def test_a_full_disk_loses_nothing_that_was_accepted(
    watched: tuple[OnSmallDisk, Log], tmp_path: Path
) -> None:
    server, log = watched

    async def hurt(flow: Flow) -> None:
        server.disk.fill()
        await _until_refused(server, flow, "no space left on device")
        server.disk.free()

    await _through(server, log, tmp_path, hurt)


@pytest.mark.parametrize("watched", ["own_server"], indirect=True)
async def test_a_disk_that_does_not_sync_loses_nothing_that_was_accepted(
    watched: tuple[NatsServer, Log], tmp_path: Path
) -> None:
    server, log = watched

    async def hurt(flow: Flow) -> None:
        refusal = await refuse_syncs(server.pid, tmp_path / "strace")
        if refusal is None:
            pytest.skip("needs strace")
        await _until_refused(server, flow, "input/output error")
        await refusal.end()
        assert refusal.failed > 0

    await _through(server, log, tmp_path, hurt)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Standing]:
    """Standfast with a log of its own, and one service."""
    config = tmp_path / "standfast.yaml"
    check = {"kind": "process", "pid_file": str(tmp_path / "pid")}
    (tmp_path / "pid").write_text(str(os.getpid()))
    config.write_text(json.dumps({"services": {"s0": {"checks": [check]}}}))
    standing = Standing(tmp_path / "state", config)
    standing.start()
    yield standing
    standing.stop()


async def test_a_log_that_refuses_after_its_disk_failed_is_started_anew(
    alone: Standing, tmp_path: Path, checked_run: CheckedRun
) -> None:
    await alone.wait_ready()
    address = Situation.read(StateDirectory(alone.directory)).runtime.address
    pid = alone.pid_of("log")
    output = alone.directory / "processes" / "log.log"
    directory = checked_run.directory
    async with flowing(address, directory, services=("s0",), per_second=5.0) as flow:
        with checked_run.injected("fsync fails", "log"):
            refusal = await refuse_syncs(pid, tmp_path / "strace")
            if refusal is None:
                pytest.skip("needs strace")
            await until(lambda: "input/output error" in output.read_text(), 30)
            await refusal.end()
            await flow.goes_on(10, timeout_seconds=90)
    assert alone.pid_of("log") != pid
    client = await connect(address, "test")
    log = await Log.open(client)
    await checked_run.clean(log, ACKNOWLEDGED, *HELD, hosts=HOSTED)
    await client.close()
