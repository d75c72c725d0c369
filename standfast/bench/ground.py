"""A private nats-server in a temporary folder, and hosts beside it, for one measurement."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from nats.errors import Error as NatsError

from actors.placement import PlaceBuckets
from actors.runtime.commands import CommandClient, NoAnswerError
from actors.runtime.description import ask_host
from actors.runtime.host import PLACEMENT_ADDRESS
from actors.runtime.solo import SoloWriter
from actors.service import RequestProbe
from events.commit import Author
from events.log import Log
from events.placement import BucketRange
from events.server import ServerAddress, connect, free_port, prepare_server, server_command
from events.streams import StreamLimits, ensure_streams
from standfast.bench.bare_host import ECHOED
from standfast.runtime import Runtime
from standfast.supervisor.processes import base_environment, merged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from nats.aio.client import Client

    from events.address import EntityAddress

AUTHOR = Author("bench", "local", "bench")
HOST = "bench-host"
START_SECONDS = 15.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.005
ANSWER_SECONDS, TRY_SECONDS = 20.0, 0.05


class GroundError(Exception):
    """What a measurement stands on could not be started, or was not as it must be."""


@dataclass(slots=True)
class Ground:
    """A log of its own on a server of its own. Its hosts are processes of their own."""

    directory: Path
    address: ServerAddress
    client: Client
    log: Log
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    async def place(self, kind: str) -> None:
        """Give all buckets of a kind to the bench's host."""
        writer = await SoloWriter.open(self.log, AUTHOR, "bench", PLACEMENT_ADDRESS)
        await writer.give(PlaceBuckets(hosts={HOST: (BucketRange(kind=kind),)}))

    async def start_host(self) -> subprocess.Popen[bytes]:
        """Start a host and wait until it serves."""
        process = self.spawn_host()
        await self.wait_for_host(process)
        return process

    def spawn_host(self) -> subprocess.Popen[bytes]:
        """Start a host, and don't wait."""
        return self._spawn("scenarios.host_process", HOST)

    def spawn_bare_host(self) -> subprocess.Popen[bytes]:
        """Start what a host does, bare; it answers what `standfast.bench.bare_host` says."""
        return self._spawn("standfast.bench.bare_host")

    async def wait_for_bare_host(self) -> None:
        """Wait until a bare host answers. Raises `GroundError`."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with suppress(NatsError):
                await self.client.request(ECHOED, b"", LOOK_SECONDS)
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise GroundError("the bare host did not start")

    def _spawn(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            (sys.executable, "-m", module, str(self._runtime_path()), *arguments),
            env=merged(base_environment()),
            stdin=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    async def wait_for_host(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the host of a process serves. Raises `GroundError`."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            described = await ask_host(self.client, HOST, entities=False)
            if described.pid == process.pid and described.ready:
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise GroundError("the host did not become ready")

    @contextmanager
    def processes_ended(self) -> Iterator[None]:
        """End every process that was started, however it goes."""
        try:
            yield
        finally:
            for process in self.processes:
                end(process)

    def _runtime_path(self) -> Path:
        path = self.directory / "runtime.json"
        Runtime(
            log_url=self.address.url,
            log_token=self.address.token,
            platform=AUTHOR.platform,
            cell=AUTHOR.cell,
            build=AUTHOR.build,
        ).write(path)
        return path


async def first_answer(client: Client, service: EntityAddress) -> None:
    """Ask for a probe again and again, so that no pause between questions is measured.

    Raises `GroundError` where no answer comes.
    """
    commands = CommandClient(client, principal="process:bench", source="/standfast/bench")
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until:
        with suppress(NoAnswerError):
            command = RequestProbe(reason="bench")
            answer = await commands.send(service, command, patience_seconds=TRY_SECONDS)
            assert answer.accepted, answer
            return
    raise GroundError(f"nobody answered for {service} in {ANSWER_SECONDS:g} s")


def unshared_bytes(pid: int) -> int:
    """Give the memory that only this process holds."""
    return int(psutil.Process(pid).memory_full_info().uss)


@asynccontextmanager
async def ground(*, sync_always: bool = True) -> AsyncIterator[Ground]:
    """Give a fresh log, synced before it answers unless told otherwise; all of it ends after."""
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as name:
        directory = Path(name)
        address = prepare_server(directory / "log", free_port(), sync_always=sync_always)
        server = _start_server(directory / "log")
        try:
            client = await _connect(address, server)
            try:
                await ensure_streams(client, StreamLimits())
                made = Ground(directory, address, client, await Log.open(client))
                with made.processes_ended():
                    yield made
            finally:
                await client.close()
        finally:
            end(server)


def _start_server(directory: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        server_command(directory),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def _connect(address: ServerAddress, server: subprocess.Popen[bytes]) -> Client:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError, TimeoutError):
            return await connect(address, "bench")
        await asyncio.sleep(0.02)
    raise GroundError("the nats-server did not start")


def end(
    process: subprocess.Popen[bytes],
    number: signal.Signals = signal.SIGTERM,
    patience_seconds: float = STOP_SECONDS,
) -> None:
    """End a process of ours, gently if it lets us."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(patience_seconds)
