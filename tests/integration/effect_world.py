"""A real host beside the test, real executors as processes, and receivers with ledgers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from actors.deciders import KINDS
from actors.placement import PlaceBuckets
from actors.recovery import StartRecovery
from actors.runtime.commands import CommandClient
from actors.runtime.host import PLACEMENT_ADDRESS, Host, HostSettings
from actors.runtime.solo import SoloWriter
from actors.service import ConfigureService
from effects.recovery.process import ChildProcesses
from events.address import EntityAddress
from events.commit import Author
from events.effect import (
    EffectCancelled,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectSucceeded,
)
from events.placement import BucketRange
from events.recovery import Step
from events.service import ServiceSettings
from scenarios.faults.receiver import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from events.base import Event
    from events.log import Log
    from tests.fixtures.nats import NatsServer

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 25.0
AUTHOR = Author("test", "test", "test")
ENDS = (EffectSucceeded, EffectFailed, EffectCancelled, EffectOutcomeUnknown)
T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], timeout_seconds: float = WAIT_SECONDS) -> T:
    """Look until something true is seen, and give it."""
    async with asyncio.timeout(timeout_seconds):
        while True:
            if seen := await look():
                return seen
            await asyncio.sleep(0.02)


@dataclass(slots=True)
class World:
    """A log with a host for every kind but the policies."""

    log: Log
    commands: CommandClient
    _host: asyncio.Task[None] | None = None

    async def start_host(self) -> None:
        host = Host(self.log, HostSettings("one", AUTHOR))
        self._host = asyncio.create_task(host.run())

        async def is_ready() -> bool:
            return host.is_ready

        await eventually(is_ready)

    async def stop_host(self) -> None:
        assert self._host is not None
        self._host.cancel()
        await asyncio.gather(self._host, return_exceptions=True)

    async def configure(self, service: str, **settings: Any) -> None:
        checks = ({"kind": "tcp", "name": "port", "port": 1},)
        command = ConfigureService(
            settings=ServiceSettings.model_validate({"checks": checks, **settings}),
            configuration_hash="1",
        )
        answer = await self.commands.send(EntityAddress("service", service), command)
        assert answer.accepted, answer

    async def recover(
        self, service: str, effect: str, *, timeout_seconds: float = 20.0, attempts_max: int = 1
    ) -> EntityAddress:
        """Have one effect wanted by a recovery."""
        address = EntityAddress("recovery", f"{service}:{effect}")
        step = Step.model_validate(
            {
                "service": service,
                "effect": effect,
                "timeout_seconds": timeout_seconds,
                "verify_seconds": 60.0,
                "attempts_max": attempts_max,
            }
        )
        command = StartRecovery(
            incident="i",
            cause=service,
            steps=(step,),
            mode="automatic",
            executor="executor",
            healthy=(),
            approval_seconds=60.0,
        )
        answer = await self.commands.send(address, command)
        assert answer.accepted, answer
        return address

    async def events(self, entity: EntityAddress) -> list[Event]:
        commits = [stored async for stored in self.log.read_entity(entity)]
        return [one.event for stored in commits for one in stored.envelopes()]

    async def ends(self, entity: EntityAddress) -> list[Event]:
        return [event for event in await self.events(entity) if isinstance(event, ENDS)]

    async def end_of(self, entity: EntityAddress, number: int = 1) -> Event:
        """Wait for the end of an intent, and see that it has only one."""

        async def look() -> list[Event]:
            return [one for one in await self.ends(entity) if one.number == number]  # type: ignore[attr-defined]

        ends = await eventually(look)
        assert len(ends) == 1, ends
        return ends[0]

    async def one_end_for_each(self, entity: EntityAddress) -> None:
        events = await self.events(entity)
        wished = [one.intent.number for one in events if isinstance(one, EffectIntended)]
        ended = [one.number for one in events if isinstance(one, ENDS)]
        assert sorted(ended) == sorted(wished), events


@contextlib.asynccontextmanager
async def a_world(log: Log) -> AsyncIterator[World]:
    """Run a host over a fresh log."""
    writer = await SoloWriter.open(log, AUTHOR, "test", PLACEMENT_ADDRESS)
    kinds = [kind for kind in KINDS if kind not in ("placement", "host", "policy", "storage")]
    ranges = tuple(BucketRange(kind=kind) for kind in kinds)
    await writer.give(PlaceBuckets(hosts={"one": ranges}))
    commands = CommandClient(log.client, principal="person:test", source="/test")
    world = World(log, commands)
    await world.start_host()
    try:
        yield world
    finally:
        await world.stop_host()


PROGRAM = """
import asyncio, contextlib, json, sys
from pathlib import Path
from pydantic import TypeAdapter
from actors.runtime.commands import CommandClient
from effects.notifiers.settings import ReceiverSettings
from events.log import Log
from events.server import ServerAddress, connect
from scenarios.bugs import seeded
from standfast.roles.executor import ExecutorProcess, ExecutorSettings

async def main(given):
    bugs = contextlib.ExitStack()
    if given["bug"]:
        bugs.enter_context(seeded(given["bug"]))
    client = await connect(ServerAddress(given["url"], given["token"]), "executor")
    commands = CommandClient(client, principal="process:executor", source="/executor")
    receivers = TypeAdapter(dict[str, ReceiverSettings]).validate_python(given["receivers"])
    directory = Path(given["directory"])
    settings = ExecutorSettings(
        journal=directory / "journal", children=directory / "children", receivers=receivers
    )
    process = ExecutorProcess(await Log.open(client), commands, settings)
    work = asyncio.create_task(process.run())
    asyncio.get_running_loop().add_signal_handler(15, work.cancel)
    await client.flush()
    print("ready", flush=True)
    try:
        await work
    except asyncio.CancelledError:
        await client.close()

asyncio.run(main(json.loads(sys.argv[1])))
"""


@dataclass(slots=True)
class ExecutorRun:
    """One executor process of the tests; its directory outlives it."""

    server: NatsServer
    directory: Path
    receivers: Mapping[str, Any] = field(default_factory=dict)
    bug: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        given = {
            "url": self.server.address.url,
            "token": self.server.address.token,
            "directory": str(self.directory),
            "receivers": dict(self.receivers),
            "bug": self.bug,
        }
        command = [sys.executable, "-c", PROGRAM, json.dumps(given)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(WAIT_SECONDS)
        finally:
            process.kill()
            process.wait(WAIT_SECONDS)
            assert process.stdout is not None
            process.stdout.close()

    def kill_children(self) -> None:
        """Leave nothing behind, however the test ended."""
        children = ChildProcesses(self.directory / "children")
        for record in children.directory.glob("*.json"):
            children.kill(record.stem)


@contextlib.contextmanager
def an_executor(
    server: NatsServer,
    directory: Path,
    receivers: Mapping[str, Any] | None = None,
    bug: str = "",
) -> Iterator[ExecutorRun]:
    """Run an executor for as long as the test wants, with a bug where one is named."""
    run = ExecutorRun(server, directory, receivers or {}, bug)
    run.start()
    try:
        yield run
    finally:
        try:
            run.end()
        finally:
            run.kill_children()


@dataclass(slots=True)
class Receiver:
    """A webhook that writes down all it hears, and answers as it is told, then 200."""

    ledger: list[dict[str, Any]] = field(default_factory=list)
    answers: list[int | asyncio.Event] = field(default_factory=list)
    port: int = 0
    checked: Ledger | None = None
    """Where what is taken is written down for the checker, before it is answered."""
    _runner: web.AppRunner | None = None

    async def open(self) -> None:
        application = web.Application()
        application.router.add_post("/{path:.*}", self._receive)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @property
    def settings(self) -> dict[str, Any]:
        return {"type": "webhook", "url": f"http://127.0.0.1:{self.port}/hook"}

    def heard(self, status: str) -> list[dict[str, Any]]:
        """What it was told and said 2xx to."""
        return [one for one in self.ledger if one["body"].get("status") == status and one["taken"]]

    async def _receive(self, request: web.Request) -> web.Response:
        entry = {
            "headers": dict(request.headers),
            "body": await request.json(),
            "path": request.path,
            "taken": True,
        }
        self.ledger.append(entry)
        answer = self.answers.pop(0) if self.answers else 200
        if self.checked is not None and (isinstance(answer, asyncio.Event) or answer < 300):
            said = request.headers
            fence = int(said["Standfast-Fence"])
            self.checked.enter(said["Idempotency-Key"], fence, entry["body"])
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = 200
        entry["taken"] = answer < 300
        return web.Response(status=answer)


@contextlib.asynccontextmanager
async def a_receiver(
    *answers: int | asyncio.Event, checked: Ledger | None = None
) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver(answers=list(answers), checked=checked)
    await receiver.open()
    try:
        yield receiver
    finally:
        await receiver.close()
