"""How far the log is, asked of it now and then, never by a request that waits for it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

if TYPE_CHECKING:
    from nats.aio.client import Client

    from events.log import Log

ASK_SECONDS = 1.0
ANSWER_SECONDS = 2.0


class LogHead:
    """The last sequence of the log as it was last heard, None while the log is silent.

    `heard` is when it last answered; `is_silent` whether it did not when it was last asked.
    """

    def __init__(self, log: Log) -> None:
        """Watch a log."""
        self._log = log
        self.sequence: int | None = None
        self.heard: datetime | None = None
        self.is_silent = False

    @property
    def client(self) -> Client:
        """The connection to the log's server."""
        return self._log.client

    @property
    def generation(self) -> int:
        """The life of the log that is read."""
        return self._log.identity.generation

    async def watch(self) -> None:
        """Ask again and again until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(ASK_SECONDS)

    async def ask(self) -> int | None:
        """Ask once."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                self.sequence = await self._log.head_sequence()
        except (TimeoutError, NatsError, OSError):
            self.sequence = None
        else:
            self.heard = datetime.now(UTC)
        self.is_silent = self.sequence is None
        return self.sequence
