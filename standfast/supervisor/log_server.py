"""The log's server: embedded and kept by us, or somebody else's whose address is configured."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from effects.recovery.child import Running
from effects.secrets import SecretUnavailableError, resolve
from events.server import (
    ServerAddress,
    ServerUnusableError,
    connect,
    installed_version,
    prepare_server,
)
from standfast.doctor.words import translated
from standfast.supervisor.keeping import StartFailedError, start_or_adopt
from standfast.supervisor.ports import kept_port
from standfast.supervisor.processes import LOG, log_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client

    from effects.recovery.child import ChildSpec
    from effects.recovery.process import ChildProcesses
    from standfast.config.model import LogConfiguration
    from standfast.paths import StateDirectory

CONNECT_SECONDS_MAX = 20.0


@dataclass(frozen=True, slots=True)
class LogServer:
    """Where the log is, and its server where that is ours."""

    directory: StateDirectory
    children: ChildProcesses
    settings: LogConfiguration
    said: Callable[[str], None]

    @property
    def specs(self) -> list[ChildSpec]:
        """The process to keep, where there is one."""
        return [] if self.settings.url else [log_spec(self.directory)]

    def prepare(self) -> ServerAddress:
        """Write what the server reads, and give its address. Raises `StartFailedError`."""
        if self.settings.url:
            try:
                return ServerAddress(self.settings.url, resolve(self.settings.token))
            except SecretUnavailableError as error:
                raise StartFailedError(f"log.token: {error}") from error
        runs = isinstance(self.children.look(LOG), Running)
        port = kept_port(self.directory.log / "port", keep=runs)
        try:
            return prepare_server(self.directory.log, port)
        except ServerUnusableError as error:
            raise StartFailedError(str(error)) from error

    async def start(self, address: ServerAddress) -> Client:
        """Start or adopt the server, and connect. Raises `StartFailedError`.

        One that runs since another version was installed is replaced: writers wait for it.
        """
        for spec in self.specs:
            await start_or_adopt(self.children, spec)
        client = await _connected(address)
        if self.settings.url:
            return client
        version, installed = client.connected_server_version, installed_version()
        runs = f"{version.major}.{version.minor}.{version.patch}"
        if runs == installed:
            return client
        self.said(f"nats-server {runs} is replaced by {installed}")
        await client.close()
        await self.children.restart(log_spec(self.directory))
        return await _connected(address)


async def _connected(address: ServerAddress) -> Client:
    until = time.monotonic() + CONNECT_SECONDS_MAX
    while True:
        try:
            return await connect(address, "supervisor")
        except (OSError, NatsError, TimeoutError) as error:
            if time.monotonic() > until:
                said = translated(f"{type(error).__name__}: {error}")
                reason = f"the log at {address.url} does not answer: {said}"
                raise StartFailedError(reason) from error
            await asyncio.sleep(0.05)
