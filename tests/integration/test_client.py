"""A task that waits for the server's answer can always be cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from events.server import connect

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from tests.fixtures.nats import NatsServer


@pytest.mark.parametrize("wait", ["request", "flush"])
async def test_a_cancellation_that_comes_with_the_answer_is_not_forgotten(
    nats_server: NatsServer, wait: str
) -> None:
    client = await connect(nats_server.address, "test")
    asked = asyncio.Event()

    async def answer(message: Msg) -> None:
        await message.respond(b"yes")

    async def ask() -> None:
        while True:
            asked.set()
            await (client.request("ask", b"", 5) if wait == "request" else client.flush())

    await client.subscribe("ask", cb=answer)
    for _ in range(200):
        task = asyncio.create_task(ask())
        await asked.wait()
        _cancel_with_the_answer(client, task)
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()
        asked.clear()
    await client.close()


def _cancel_with_the_answer(client: Client, task: asyncio.Task[None]) -> None:
    """Cancel a task in the step of the loop in which the next bytes of the server arrive."""
    parser = client._ps

    async def parse(data: bytes) -> None:
        del vars(parser)["parse"]
        await parser.parse(data)
        task.cancel()

    vars(parser)["parse"] = parse
