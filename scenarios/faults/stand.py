"""The stand of a run: Standfast itself over a log behind the proxy, a platform, and workers."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from actors.runtime.description import ask_host
from effects.ending import end_tasks
from events.log import Log
from events.server import connect, prepare_server, server_command
from scenarios.faults.in_flight import counts_in
from scenarios.faults.kept import Kept
from scenarios.faults.left import all_below
from scenarios.faults.outages import Outages
from scenarios.faults.platform import (
    NEEDS,
    QUIET,
    ROOT,
    Ports,
    refusal_of,
    write_configuration,
)
from scenarios.faults.proxy import NatsProxy
from scenarios.faults.recorded import (
    Recorded,
    descendant,
    descendant_named,
    recorded_child,
)
from scenarios.loopback import HOST

if TYPE_CHECKING:
    from nats.aio.client import Client

    from events.server import ServerAddress
    from scenarios.faults.in_flight import Counts

HOME, RUN_PID = "stand", "run.pid"
HOSTS = ("service-host", "alert-host", "recovery-host", "coordinator")
ROLES = ("prober", "evaluator", "executor", "projector", "web", "watchdog")
READY_SECONDS = 120.0
STOP_SECONDS = 90.0
ASK_SECONDS = 2.0
LOOK_SECONDS = 0.1
WORKERS = 2


class StandFailedError(Exception):
    """The stand could not be made ready; the message says what was seen last."""


@dataclass(slots=True)
class Stand:
    """All that runs in one run, below its directory."""

    directory: Path
    seed: int
    per_second: float
    ports: Ports = field(default_factory=Ports.choose)
    kept: dict[str, Kept] = field(default_factory=dict)
    proxy: NatsProxy = field(init=False)
    outages: Outages = field(init=False)
    client: Client | None = None
    _address: ServerAddress | None = None
    _watching: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Choose places; nothing runs yet."""
        self.directory = self.directory.absolute()
        self.proxy = NatsProxy(self.ports.log)
        self.outages = Outages(self.directory / "outages.jsonl", self.ports.services)

    @property
    def home(self) -> Path:
        """Where its parts keep their files, beside what is collected."""
        return self.directory / HOME

    @property
    def state(self) -> Path:
        """Standfast's state directory."""
        return self.home / "state"

    # --- its life ------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all but the workers, and wait until every service has its first verdict."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o711)
        (self.home / RUN_PID).write_text(str(os.getpid()))
        self._address = prepare_server(self.home / "log", self.ports.log)
        port = await self.proxy.start()
        config, token = self.home / "standfast.yaml", self.home / "log" / "token"
        write_configuration(config, self.ports, port, token)
        await self._keep("log", server_command(self.home / "log"))
        await self._keep("receiver", self._receiver())
        await self._keep("supervisor", self._supervisor(config), stop_seconds=STOP_SECONDS)
        await self.wait_ready()
        self.client = await connect(self._address, "injector")
        self._watching.append(asyncio.create_task(self.outages.watch()))

    async def start_workers(self) -> None:
        """Let commands flow."""
        for number in range(WORKERS):
            name = f"worker-{number + 1}"
            await self._keep(name, self._worker(name, number))

    async def stop_workers(self) -> None:
        """Let what is in flight come back, and end the flow."""
        await asyncio.gather(*[one.stop() for name, one in self.kept.items() if "worker" in name])

    async def stop_watching(self) -> None:
        """Look at the services no more; what is down stays noted as down."""
        await end_tasks(self._watching)
        self._watching.clear()

    async def stop(self) -> None:
        """End everything that was started, the descendants too."""
        await self.stop_watching()
        left = self.everything()
        if self.client is not None:
            await self.client.close()
        for name in reversed(self.kept):
            await self.kept[name].stop()
        await self.proxy.stop()
        for process in left:
            process.kill()

    async def _keep(
        self, name: str, command: tuple[str, ...], *, stop_seconds: float = 20.0
    ) -> None:
        environment = {"PYTHONPATH": str(ROOT), "STANDFAST_STATE_DIR": str(self.state)}
        kept = Kept(name, command, self.home, environment, stop_seconds)
        self.kept[name] = kept
        await kept.start()

    def _receiver(self) -> tuple[str, ...]:
        ledger = str(self.directory / "ledger-ledger.jsonl")
        program = (sys.executable, "-m", "scenarios.faults.receiver")
        return (*program, "--port", str(self.ports.receiver), "--ledger", ledger)

    def _supervisor(self, config: Path) -> tuple[str, ...]:
        return (sys.executable, "-m", "standfast", "up", "--config", str(config))

    def _worker(self, name: str, number: int) -> tuple[str, ...]:
        options = {
            "name": name,
            "url": f"nats://{HOST}:{self.proxy.port}",
            "token-file": self.home / "log" / "token",
            "output": self.directory,
            "per-second": self.per_second / WORKERS,
            "seed": self.seed * WORKERS + number,
        }
        flags = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        return (sys.executable, "-m", "scenarios.faults.worker", *flags, *NEEDS, *QUIET)

    # --- what is known of it -------------------------------------------------------------

    async def log(self) -> Log:
        """Open the log, past the proxy."""
        assert self.client is not None, "the stand has started"
        return await Log.open(self.client)

    def commands(self) -> Counts:
        """Give how many commands were invoked, are in flight, and were skipped."""
        return counts_in(self.directory)

    @property
    def in_flight(self) -> int:
        """How many commands are in flight just now."""
        return self.commands().in_flight

    def refusal(self, service: str) -> Path:
        """Give the file that keeps a service from starting for as long as it is there."""
        return refusal_of(self.home, service)

    async def find(self, name: str) -> Recorded | None:
        """Find a part as it runs now, by our own record of it or Standfast's; None while down."""
        if name in self.kept:
            return self.kept[name].recorded
        if name in NEEDS:
            return recorded_child(self.state / "children", name)
        if name in HOSTS:
            return await self._host(name)
        if name == "raylet":
            ray = await self.find("ray")
            return None if ray is None else descendant_named(ray, "raylet")
        return recorded_child(self.state / "processes", name)

    async def _host(self, name: str) -> Recorded | None:
        ray = await self.find("ray")
        assert self.client is not None, "the stand has started"
        described = await ask_host(self.client, name, entities=False)
        if ray is None or not described.answered:
            return None
        return descendant(ray, name, described.pid)

    def everything(self) -> list[Recorded]:
        """Record all that runs below the stand, its descendants included."""
        return all_below(self.home)

    async def wait_ready(self, timeout_seconds: float = READY_SECONDS) -> None:
        """Wait until every service has a verdict. Raises `StandFailedError`."""
        until, answer = time.monotonic() + timeout_seconds, "no answer"
        while time.monotonic() < until:
            try:
                await self.get("/readyz")
            except (aiohttp.ClientError, TimeoutError) as error:
                answer = str(error)
                await asyncio.sleep(LOOK_SECONDS)
            else:
                return
        output = self.kept["supervisor"].output.read_text()[-2000:]
        raise StandFailedError(f"not ready in {timeout_seconds:g} s: {answer}\n{output}")

    async def get(self, path: str) -> Any:  # noqa: ANN401  (JSON is anything)
        """Ask the API. Raises `aiohttp.ClientError`, `TimeoutError`."""
        timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
        url = f"http://{HOST}:{self.ports.web}{path}"
        async with (
            aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
            session.get(url) as response,
        ):
            return await response.json()
