"""Real servers on loopback, and one look at them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from effects.probes.any import AnyProbe
from events.service import Check, HttpCheck

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from effects.ports import Observed

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
    Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SECRET = "c0rrect-horse"


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[int]:
    """Serve every path by one handler."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[int]:
    """Serve raw TCP."""

    async def spoken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(spoken, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def http(port: int, **more: object) -> HttpCheck:
    fields = {"name": "http", "url": f"http://127.0.0.1:{port}/x", "timeout_seconds": 1.0, **more}
    return HttpCheck.model_validate(fields)


async def look(check: Check, children: Path | None = None) -> Observed:
    probe = AnyProbe(children)
    try:
        return await probe.probe(check)
    finally:
        await probe.close()
