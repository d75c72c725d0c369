"""A session with the log for one command: beside what runs, or alone where nothing does."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from actors.runtime.commands import CommandClient
from effects.recovery.child import Refused, Running
from effects.recovery.process import ChildProcesses
from events.log import Log
from events.server import ServerAddress, connect, prepare_server
from standfast.runtime import NotRunningError, Situation
from standfast.supervisor.ports import kept_port
from standfast.supervisor.processes import LOG, log_spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from standfast.paths import StateDirectory

CONNECT_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Session:
    """A state directory and its log, open. `is_running` says whether Standfast runs."""

    situation: Situation
    log: Log
    is_running: bool

    @property
    def client(self) -> Client:
        """The connection to the log."""
        return self.log.client

    def commands(self, principal: str) -> CommandClient:
        """Give what sends commands for a person."""
        return CommandClient(self.client, principal=principal, source="/standfast/cli")


@asynccontextmanager
async def open_session(directory: StateDirectory) -> AsyncIterator[Session]:
    """Open the log of a state directory.

    Where its embedded server does not run, it is started for the time of the session.
    Raises `NotRunningError` where there is no log, or it can't be reached.
    """
    situation = Situation.read(directory)
    children = ChildProcesses(directory.processes)
    embedded = not situation.configuration.log.url
    runs = not embedded or isinstance(children.look(LOG), Running)
    address = situation.runtime.address if runs else await _start_alone(directory, children)
    client = await _connect(address)
    try:
        yield Session(situation, await Log.open(client), runs)
    finally:
        await client.close()
        if not runs:
            await children.stop(LOG)


async def _start_alone(directory: StateDirectory, children: ChildProcesses) -> ServerAddress:
    address = prepare_server(directory.log, kept_port(directory.log / "port", keep=False))
    outcome = await children.start(log_spec(directory))
    if isinstance(outcome, Refused):
        message = f"the log could not be started: {outcome.reason}"
        raise NotRunningError(message)
    return address


async def _connect(address: ServerAddress) -> Client:
    until = time.monotonic() + CONNECT_SECONDS_MAX
    while True:
        try:
            return await connect(address, "cli")
        except (OSError, NatsError, TimeoutError) as error:
            if time.monotonic() > until:
                message = f"the log at {address.url} does not answer: {error}"
                raise NotRunningError(message) from error
            await asyncio.sleep(0.1)
