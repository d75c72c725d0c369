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
    situation = Situation.of(directory)
    async with reach_server(directory, situation) as (client, is_running):
        yield Session(situation, await Log.open(client), is_running)


@asynccontextmanager
async def reach_server(
    directory: StateDirectory, situation: Situation | None
) -> AsyncIterator[tuple[Client, bool]]:
    """Give a connection to the log's server, started for the time where it does not run.

    Without a situation nothing ever ran there. Says also whether Standfast runs.
    """
    embedded = situation is None or not situation.configuration.log.url
    if situation is None or (embedded and is_alone(directory)):
        async with alone(directory) as address, _connected(address) as client:
            yield client, False
    else:
        async with _connected(situation.runtime.address) as client:
            yield client, True


@asynccontextmanager
async def _connected(address: ServerAddress) -> AsyncIterator[Client]:
    client = await _connect(address)
    try:
        yield client
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
