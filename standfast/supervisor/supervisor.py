"""The supervisor: it starts what is missing, adopts what still runs, and ends all in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nats.errors import Error as NatsError

from actors.runtime.commands import CommandClient, NoAnswerError
from effects.recovery.child import Refused, Running
from effects.recovery.process import ChildProcesses
from events.build import build_id
from events.log import Log, LogFullError, LogReplacedError, LogUnavailableError
from events.server import ServerAddress, ServerUnusableError, connect, prepare_server
from events.streams import ensure_streams
from events.subjects import STOP_CHILDREN_SUBJECT
from events.succession import watch_generation
from standfast.config.apply import NotAppliedError, apply
from standfast.paths import StateDirectory, write_private
from standfast.running import SUPERVISOR, say_build
from standfast.runtime import Runtime
from standfast.supervisor.hosts import Hosts, HostsFailedError
from standfast.supervisor.log_keeper import LogKeeper
from standfast.supervisor.ports import kept_port
from standfast.supervisor.processes import LOG, ROLES, WATCHDOG, log_spec, role_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nats.aio.client import Client

    from effects.recovery.child import ChildSpec
    from standfast.config.load import Loaded

CONNECT_SECONDS_MAX = 20.0
RESTART_SECONDS_FIRST = 0.2
RESTART_SECONDS_MAX = 30.0
STEADY_SECONDS = 60.0
SERVICES_STOP_SECONDS = 40.0
RETRY_SECONDS = 1.0
_AFTER_RESTORE = (
    HostsFailedError,
    NotAppliedError,
    NoAnswerError,
    LogUnavailableError,
    LogFullError,
    NatsError,
    OSError,
)
_LOGGER = logging.getLogger(__name__)


class StartFailedError(Exception):
    """Standfast could not be started; the message says why and what helps."""


@dataclass(slots=True)
class Supervisor:
    """Keeps Standfast's processes for one state directory.

    `said` is told of each step, in words for people.
    """

    directory: StateDirectory
    loaded: Loaded
    is_demo: bool
    said: Callable[[str], None]
    children: ChildProcesses = field(init=False)
    log: Log | None = None
    _client: Client | None = None
    _hosts: Hosts | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Use the records of the state directory."""
        self.children = ChildProcesses(self.directory.processes)

    # --- starting ------------------------------------------------------------------------

    async def start(self) -> None:
        """Start or adopt everything, and make the log say what the configuration says.

        Raises `StartFailedError`.
        """
        say_build(self.directory, SUPERVISOR)
        address = self._prepare_log()
        self._write_files(address)
        await self._start_child(self._role(WATCHDOG))  # first: it expects the others from now on
        await self._start_log()
        self._client = await self._connect(address)
        limits = self.loaded.configuration.log.limits()
        await ensure_streams(self._client, limits)
        self.log = await Log.open(self._client)
        self.said("the log is open")
        self._hosts = Hosts(self.directory, self.children, self.log, self._runtime(address))
        await asyncio.gather(self._hosts.start(self.loaded.configuration), self._start_roles())
        facts = await apply(self.log, self._commands(), self.loaded)
        self.said(f"the configuration is in force ({facts} changes)")
        self._watch_all()

    def _prepare_log(self) -> ServerAddress:
        configured = self.loaded.configuration.log
        if configured.url:
            from effects.secrets import resolve  # noqa: PLC0415

            return ServerAddress(configured.url, resolve(configured.token))
        runs = isinstance(self.children.look(LOG), Running)
        port = kept_port(self.directory.log / "port", keep=runs)
        try:
            return prepare_server(self.directory.log, port)
        except ServerUnusableError as error:
            raise StartFailedError(str(error)) from error

    async def _start_log(self) -> None:
        if self.loaded.configuration.log.url:
            return
        try:
            await self._start_child(log_spec(self.directory))
        except ServerUnusableError as error:
            raise StartFailedError(str(error)) from error

    async def _start_roles(self) -> None:
        for role in ROLES:
            await self._start_child(self._role(role))
        self.said(f"started {', '.join(ROLES)}")

    def _role(self, role: str) -> ChildSpec:
        return role_spec(role, self.directory, self.loaded.configuration)

    async def _start_child(self, spec: ChildSpec) -> None:
        outcome = await self.children.start(spec)
        if isinstance(outcome, Refused):
            raise StartFailedError(f"{spec.name} could not be started: {outcome.reason}")
        if outcome.is_adopted and outcome.command != spec.command:
            await self.children.restart(spec)

    def _runtime(self, address: ServerAddress) -> Runtime:
        configuration = self.loaded.configuration
        return Runtime(
            log_url=address.url,
            log_token=address.token,
            platform=configuration.platform.name,
            cell=configuration.platform.cell,
            build=build_id(),
            is_demo=self.is_demo,
            web_url=configuration.web.url,
        )

    def _write_files(self, address: ServerAddress) -> None:
        self._runtime(address).write(self.directory.runtime)
        content = self.loaded.configuration.model_dump_json(indent=1)
        write_private(self.directory.configuration, content)

    async def _connect(self, address: ServerAddress) -> Client:
        until = time.monotonic() + CONNECT_SECONDS_MAX
        while True:
            try:
                return await connect(address, "supervisor")
            except (OSError, NatsError, TimeoutError) as error:
                if time.monotonic() > until:
                    reason = f"the log at {address.url} does not answer: {error}"
                    raise StartFailedError(reason) from error
                await asyncio.sleep(0.05)

    def _commands(self) -> CommandClient:
        assert self.log is not None, "the log is open"
        return CommandClient(
            self.log.client,
            principal="process:supervisor",
            source="/standfast/configuration",
            generation=self.log.identity.generation,
        )

    # --- watching ------------------------------------------------------------------------

    def _watch_all(self) -> None:
        assert self._hosts is not None, "everything is started"
        specs = [self._role(role) for role in (WATCHDOG, *ROLES)]
        if not self.loaded.configuration.log.url:
            specs.append(log_spec(self.directory))
            self._spawn(self._hosts.keep_log_storing())
            self._spawn(LogKeeper(self.directory, self.children).keep())
        for spec in specs:
            self._spawn(self._keep(spec))
        self._spawn(self._hosts.keep())
        self._spawn(self._follow_generations())

    async def _follow_generations(self) -> None:
        """Whenever the log was restored: place the hosts and apply the configuration again."""
        while True:
            assert self.log is not None, "everything is started"
            try:
                await watch_generation(self.log)
            except LogReplacedError as replaced:
                self.said(str(replaced))
            while True:
                if await self._begin_anew():
                    break
                await asyncio.sleep(RETRY_SECONDS)

    async def _begin_anew(self) -> bool:
        assert self._client is not None, "everything is started"
        assert self._hosts is not None, "everything is started"
        try:
            self.log = self._hosts.log = await Log.open(self._client)
            await self._hosts.start(self.loaded.configuration)
            facts = await apply(self.log, self._commands(), self.loaded)
        except _AFTER_RESTORE as error:
            _LOGGER.error("after the log was restored: %s", error)  # noqa: TRY400
            return False
        self.said(f"the configuration is in force again ({facts} changes)")
        return True

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, spec: ChildSpec) -> None:
        """Start a process again whenever it ends; slower each time it ends soon."""
        delay = RESTART_SECONDS_FIRST
        while True:
            began = time.monotonic()
            await self.children.wait_exit(spec.name)
            if time.monotonic() - began > STEADY_SECONDS:
                delay = RESTART_SECONDS_FIRST
            _LOGGER.warning("%s ended; it is started again in %.1f s", spec.name, delay)
            await asyncio.sleep(delay)
            delay = min(RESTART_SECONDS_MAX, delay * 2)
            outcome = await self.children.start(spec)
            if isinstance(outcome, Refused):
                _LOGGER.error("%s: %s", spec.name, outcome.reason)

    async def reload(self, loaded: Loaded) -> int:
        """Put a new configuration in force; gives how many facts changed.

        Raises `NotAppliedError` where an entity declines it.
        """
        assert self.log is not None, "everything is started"
        before, self.loaded = self.loaded.configuration, loaded
        runtime = Runtime.model_validate_json(self.directory.runtime.read_bytes())
        self._write_files(runtime.address)
        facts = await apply(self.log, self._commands(), loaded)
        after = loaded.configuration
        if before.receivers != after.receivers:
            await self.children.restart(self._role("executor"))
        if (before.receivers, before.watchdog) != (after.receivers, after.watchdog):
            await self.children.restart(self._role(WATCHDOG))
        if before.web != after.web:
            await self.children.restart(self._role("web"))
        return facts

    # --- ending --------------------------------------------------------------------------

    async def _stop_services(self) -> None:
        """Have the executor stop the services that end with Standfast."""
        if self._client is None or not isinstance(self.children.look("executor"), Running):
            return
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            await self._client.request(STOP_CHILDREN_SUBJECT, b"", SERVICES_STOP_SECONDS)

    async def stop(self) -> None:
        """End everything, the log last: what is in flight has its end in it."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.children.stop(WATCHDOG)  # first: an end that is wanted is no silence
        await self._stop_services()
        await asyncio.gather(*[self.children.stop(role) for role in ROLES])
        if self._hosts is not None:
            await self._hosts.stop()
        if self._client is not None:
            with contextlib.suppress(NatsError, TimeoutError, OSError):
                await self._client.close()
        if not self.loaded.configuration.log.url:
            await self.children.stop(LOG)
