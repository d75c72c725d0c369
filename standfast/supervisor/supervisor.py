"""The supervisor: it starts what is missing, adopts what still runs, and ends all in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from nats.errors import Error as NatsError

from actors.runtime.commands import CommandClient
from effects.recovery.child import Refused, Running
from effects.recovery.process import ChildProcesses
from events.build import build_id
from events.log import Log, LogReplacedError
from events.server import ServerAddress
from events.streams import ensure_streams
from events.subjects import STOP_CHILDREN_SUBJECT
from events.succession import watch_generation
from standfast.config.apply import apply
from standfast.keeping.disk_watch import DiskWatch
from standfast.keeping.trial import clear_left_over
from standfast.paths import StateDirectory, write_private
from standfast.running import SUPERVISOR, say_build
from standfast.runtime import Runtime
from standfast.supervisor.hosts import Hosts
from standfast.supervisor.keeping import insist, keep, start_or_adopt
from standfast.supervisor.log_keeper import LogKeeper, StorageKeeper
from standfast.supervisor.log_server import LogServer
from standfast.supervisor.processes import (
    KEEPS_SECRETS,
    LOG,
    RAY,
    ROLES,
    WATCHDOG,
    WATCHES,
    log_spec,
    referenced,
    role_spec,
    roles_to_restart,
)
from standfast.supervisor.upgrading import Upgrading

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine

    from nats.aio.client import Client

    from effects.recovery.child import ChildSpec
    from standfast.config.load import Loaded
    from standfast.config.model import LogConfiguration

SERVICES_STOP_SECONDS = 40.0
ANEW_SECONDS_MAX = 2.0
"""So long at most hosts and settings wait for the next try after the log was restored."""
_LOGGER = logging.getLogger(__name__)


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
    is_successor: bool = False
    """Whether it found something running: that is left running when it can't start itself."""
    is_upgrading: bool = False
    _client: Client | None = None
    _hosts: Hosts | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Use the records of the state directory."""
        self.children = ChildProcesses(self.directory.processes)

    # --- starting ------------------------------------------------------------------------

    async def start(self) -> None:
        """Start or adopt everything, and make the log say what the configuration says.

        Raises `StartFailedError` or `HostsFailedError`.
        """
        runs = [isinstance(self.children.look(name), Running) for name in (LOG, RAY, *ROLES)]
        self.is_successor = any(runs)
        say_build(self.directory, SUPERVISOR)
        address = self._log_server.prepare()
        self._write_files(address)
        # first of all, for it expects the others from now on
        await start_or_adopt(self.children, self._role(WATCHDOG))
        self._client = await self._log_server.start(address)
        limits = self.loaded.configuration.log.limits()
        await ensure_streams(self._client, limits)
        is_ours = not self.loaded.configuration.log.url
        await clear_left_over(self._client, self.directory, is_ours=is_ours)
        self.log = await Log.open(self._client)
        self.said("the log is open")
        runtime = self._runtime(address)
        self._hosts = Hosts(self.directory, self.children, self.log, runtime, self.said)
        self._keep_log(self._hosts)
        await asyncio.gather(self._start_hosts(self._hosts), self._start_roles())
        self._watch_generations_and_disk()
        await self._upgrade()
        facts = await apply(self.log, self._commands(), self.loaded)
        self.said(f"the configuration is in force ({facts} changes)")

    async def _upgrade(self) -> None:
        """Replace what an older or newer release left running; what fails is said and undone."""
        assert self._hosts is not None, "everything is started"
        specs = [self._role(role) for role in (*ROLES, WATCHDOG)]
        upgrading = Upgrading(
            self.directory, self.children, self._hosts, self._commands(), specs, self.said
        )
        self.is_upgrading = True
        try:
            await upgrading.run(self.loaded.configuration)
        finally:
            self.is_upgrading = False

    @property
    def _log_server(self) -> LogServer:
        settings = self.loaded.configuration.log
        return LogServer(self.directory, self.children, settings, self.said)

    async def _start_hosts(self, hosts: Hosts) -> None:
        """Start them, and keep them from then on: one may die before all are ready."""
        await hosts.start(self.loaded.configuration)
        self._spawn("keeping the hosts", hosts.keep)
        await hosts.wait_all_ready()

    async def _start_roles(self) -> None:
        """Start them, and keep them and the watchdog from then on."""
        for role in ROLES:
            await start_or_adopt(self.children, self._role(role))
        for role in (WATCHDOG, *ROLES):
            self._spawn(role, partial(keep, self.children, role, partial(self._role, role)))
        self.said(f"started {', '.join(ROLES)}")

    def _role(self, role: str) -> ChildSpec:
        return role_spec(role, self.directory, self.loaded.configuration)

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

    def _commands(self) -> CommandClient:
        assert self.log is not None, "the log is open"
        return CommandClient(
            self.log.client,
            principal="process:supervisor",
            source="/standfast/configuration",
            generation=self.log.identity.generation,
        )

    # --- watching ------------------------------------------------------------------------

    def _keep_log(self, hosts: Hosts) -> None:
        """Keep the log, which all that is started next waits for."""
        if self.loaded.configuration.log.url:
            return
        self._spawn(LOG, partial(keep, self.children, LOG, partial(log_spec, self.directory)))
        known = (self.directory, self.children, self._opened)
        self._spawn("keeping the log storing", StorageKeeper(*known, hosts.log_refuses).keep)
        self._spawn("keeping the log answering", LogKeeper(*known).keep)

    def _watch_generations_and_disk(self) -> None:
        self._spawn("following the log's generations", self._follow_generations)
        self._spawn("watching the disk", self._watch_disk)

    async def _watch_disk(self) -> None:
        await DiskWatch(self._opened, self._log_settings, self.directory.log).run()

    def _log_settings(self) -> LogConfiguration:
        return self.loaded.configuration.log

    def _opened(self) -> Log:
        assert self.log is not None, "everything is started"
        return self.log

    async def _follow_generations(self) -> None:
        """Whenever the log was restored: place the hosts and apply the configuration again."""
        while True:
            assert self.log is not None, "everything is started"
            try:
                await watch_generation(self.log)
            except LogReplacedError as replaced:
                self.said(str(replaced))
            await insist("beginning with the restored log", self._begin_anew, ANEW_SECONDS_MAX)

    async def _begin_anew(self) -> None:
        assert self._client is not None, "everything is started"
        assert self._hosts is not None, "everything is started"
        self.log = self._hosts.log = await Log.open(self._client)
        await self._hosts.start(self.loaded.configuration)
        await self._hosts.wait_all_ready()
        facts = await apply(self.log, self._commands(), self.loaded)
        self.said(f"the configuration is in force again ({facts} changes)")

    def _spawn(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(insist(name, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reload(self, loaded: Loaded) -> int:
        """Put a new configuration in force; gives how many facts changed.

        Raises `NotAppliedError` where an entity declines it.
        """
        assert self.log is not None, "everything is started"
        before, self.loaded = self.loaded.configuration, loaded
        runtime = Runtime.model_validate_json(self.directory.runtime.read_bytes())
        self._write_files(runtime.address)
        after = loaded.configuration
        secretive = KEEPS_SECRETS if referenced(before) != referenced(after) else frozenset()
        await self._restart(secretive)  # before what refers to a secret is in force
        facts = await apply(self.log, self._commands(), loaded)
        await self._restart(roles_to_restart(before, after) - secretive)
        return facts

    async def _restart(self, roles: Collection[str]) -> None:
        for role in sorted(roles):
            outcome = await self.children.restart(self._role(role))
            if isinstance(outcome, Refused):
                _LOGGER.error("%s: %s", role, outcome.reason)

    # --- ending --------------------------------------------------------------------------

    async def _stop_services(self) -> None:
        """Have the executor stop the services that end with Standfast."""
        if self._client is None or not isinstance(self.children.look("executor"), Running):
            return
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            await self._client.request(STOP_CHILDREN_SUBJECT, b"", SERVICES_STOP_SECONDS)

    async def leave(self) -> None:
        """Watch nothing any more, and leave all that runs to a successor."""
        await self._watch_nothing()
        await self._disconnect()

    async def _watch_nothing(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _disconnect(self) -> None:
        if self._client is not None:
            with contextlib.suppress(NatsError, TimeoutError, OSError):
                await self._client.close()

    async def stop(self) -> None:
        """End everything, the log last: what is in flight has its end in it."""
        await self._watch_nothing()
        for watches in WATCHES:  # first: an end that is wanted is neither silence nor an outage
            await self.children.stop(watches)
        await self._stop_services()
        await asyncio.gather(*[self.children.stop(role) for role in ROLES])
        if self._hosts is not None:
            await self._hosts.stop()
        await self._disconnect()
        if not self.loaded.configuration.log.url:
            await self.children.stop(LOG)
