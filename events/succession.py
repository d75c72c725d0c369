"""Who has opened a log learns that another generation of it has taken its place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from nats.errors import Error as NatsError

from events.log_errors import LogReplacedError
from events.state_stream import find_state_stream
from events.subjects import GENERATION_SUBJECT

if TYPE_CHECKING:
    from nats.aio.client import Client

    from events.identity import LogIdentity
    from events.log import Log

LOOK_SECONDS = 2.0


async def announce_generation(client: Client) -> None:
    """Let all look now. It is a hint: they look for themselves every few seconds."""
    await client.publish(GENERATION_SUBJECT, b"")
    await client.flush()


async def watch_generation(log: Log) -> NoReturn:
    """Look now and then, and when told, until the log was replaced. Raises `LogReplacedError`."""
    told = asyncio.Event()

    async def tell(_message: object) -> None:
        told.set()

    subscription = await log.client.subscribe(GENERATION_SUBJECT, cb=tell)
    try:
        while True:
            present = await _present(log.client)
            if present is not None and present != log.identity:
                message = f"generation {present.generation} of the log took the place of"
                raise LogReplacedError(f"{message} {log.identity.generation}")
            told.clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await told.wait()
            except TimeoutError:
                continue
    finally:
        if not log.client.is_closed:
            await subscription.unsubscribe()


async def _present(client: Client) -> LogIdentity | None:
    """Give whose stream takes commits now; None while none does, or nobody can say."""
    try:
        found = await find_state_stream(client)
    except (NatsError, TimeoutError, OSError):
        return None
    return None if found is None else found.identity
