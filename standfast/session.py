"""A session with the log for one command: beside what runs, or alone where nothing does."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from actors.runtime.commands import CommandClient
from events.log import Log
from events.server import ServerAddress, connect
from standfast.alone import alone, is_alone
from standfast.runtime import NotRunningError, Situation

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
        generation = self.log.identity.generation
        return CommandClient(
            self.client, principal=principal, source="/standfast/cli", generation=generation
        )


@asynccontextmanager
async def open_session(directory: StateDirectory) -> AsyncIterator[Session]:
    """Open the log of a state directory.

    Where its embedded server does not run, it is started for the time of the session, and
    shared by all sessions at that time.
    Raises `NotRunningError` where there is no log, or it can't be reached.
    """
    situation = Situation.read(directory)
    embedded = not situation.configuration.log.url
    if embedded and is_alone(directory):
        async with alone(directory) as address, _opened(address) as log:
            yield Session(situation, log, is_running=False)
    else:
        async with _opened(situation.runtime.address) as log:
            yield Session(situation, log, is_running=True)


@asynccontextmanager
async def _opened(address: ServerAddress) -> AsyncIterator[Log]:
    client = await _connect(address)
    try:
        yield await Log.open(client)
    finally:
        await client.close()


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
