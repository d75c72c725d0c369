"""A host in a process of its own, for tests that kill it."""

from __future__ import annotations

import asyncio
import os

from actors.runtime.host import Host, HostSettings
from events.log import Log
from events.server import ServerAddress, connect
from tests.hosting import AUTHOR


async def main() -> None:
    """Host what the placement gives to this name."""
    address = ServerAddress(os.environ["TEST_LOG_URL"], os.environ["TEST_LOG_TOKEN"])
    client = await connect(address, "host-program")
    await Host(await Log.open(client), HostSettings(os.environ["TEST_HOST"], AUTHOR)).run()


asyncio.run(main())
