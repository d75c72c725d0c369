"""Snapshots: a stream as the server packs it, with its sequences and its times, in chunks.

The server sends a window of chunks and waits until they are acknowledged; a restore is a request
for each chunk, and an empty one at the end.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from events.state_stream import Content, ask_streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from nats.aio.client import Client
    from nats.aio.msg import Msg

CHUNK_BYTES = 128 * 1024
SILENCE_SECONDS = 30.0
FINISH_SECONDS = 600.0
"""At the end of a restore the server reads all that it was given."""
_DONE = "204"


class SnapshotFailedError(Exception):
    """The server could not pack or unpack a stream; the message says why."""


@dataclass(slots=True)
class Snapshot:
    """One snapshot while it arrives: the stream's settings and state at that moment, its bytes."""

    config: Content
    state: Content
    _client: Client
    _arrived: asyncio.Queue[Msg] = field(default_factory=asyncio.Queue)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the bytes as they come; each chunk is acknowledged when the next is asked for.

        Raises `SnapshotFailedError`.
        """
        while True:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    message = await self._arrived.get()
            except TimeoutError as error:
                raise SnapshotFailedError("the server stopped to send") from error
            if not message.data:
                _check_end(message)
                return
            yield message.data
            if message.reply:
                await self._client.publish(message.reply)


def _check_end(message: Msg) -> None:
    headers = message.headers or {}
    status = headers.get("Status", _DONE)
    if status != _DONE:
        raise SnapshotFailedError(f"{status} {headers.get('Description', '')}".strip())


@asynccontextmanager
async def open_snapshot(client: Client, stream: str) -> AsyncIterator[Snapshot]:
    """Have a stream packed, the checksums of its messages checked first.

    Raises `SnapshotFailedError`, also where a message is damaged.
    """
    inbox = client.new_inbox()
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await client.subscribe(inbox, cb=arrived.put)
    request = {
        "deliver_subject": inbox,
        "no_consumers": True,
        "chunk_size": CHUNK_BYTES,
        "jsck": True,
    }
    try:
        answer = await ask_streams(client, f"SNAPSHOT.{stream}", request, SILENCE_SECONDS)
        yield Snapshot(answer["config"], answer["state"], client, arrived)
    except NatsError as error:
        raise SnapshotFailedError(str(error)) from error
    finally:
        await subscription.unsubscribe()


async def restore_snapshot(
    client: Client, config: Content, state: Content, chunks: Iterable[bytes]
) -> None:
    """Make a stream of a snapshot, by the settings and under the name in `config`.

    Raises `SnapshotFailedError`; then there is no such stream.
    """
    try:
        content = {"config": config, "state": state}
        answer = await ask_streams(client, f"RESTORE.{config['name']}", content, SILENCE_SECONDS)
        subject = answer["deliver_subject"]
        for chunk in chunks:
            await client.request(subject, chunk, SILENCE_SECONDS)
        done = json.loads((await client.request(subject, b"", FINISH_SECONDS)).data)
    except NatsError as error:
        raise SnapshotFailedError(str(error)) from error
    if "error" in done:
        raise SnapshotFailedError(done["error"].get("description", "the restore failed"))
