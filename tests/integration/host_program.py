"""A host in a process of its own, for tests that kill it, or put a bug into it."""

from __future__ import annotations

import asyncio
import contextlib
import os

from actors.runtime.host import Host, HostSettings
from events.log import Log
from events.server import ServerAddress, connect
from scenarios.bugs import seeded
from tests.hosting import AUTHOR


async def main() -> None:
    """Host what the placement gives to this name."""
    address = ServerAddress(os.environ["TEST_LOG_URL"], os.environ["TEST_LOG_TOKEN"])
    client = await connect(address, "host-program")
    with contextlib.ExitStack() as stack:
        if bug := os.environ.get("TEST_BUG"):
            stack.enter_context(seeded(bug))
        await Host(await Log.open(client), HostSettings(os.environ["TEST_HOST"], AUTHOR)).run()


asyncio.run(main())
