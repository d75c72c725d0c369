"""A host in a process of its own, without Ray: what Ray would only place and restart."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from pathlib import Path

from actors.runtime.host import Host, HostSettings
from events.log import Log
from events.server import connect
from standfast.runtime import Runtime


async def serve(runtime: Runtime, name: str) -> None:
    """Host what the placement gives to a name until SIGTERM; SIGUSR1 writes checkpoints."""
    client = await connect(runtime.address, name)
    host = Host(await Log.open(client), HostSettings(name, runtime.author), settled=gc.freeze)
    loop = asyncio.get_running_loop()
    serving = asyncio.create_task(host.run())
    loop.add_signal_handler(signal.SIGTERM, serving.cancel)
    writing: set[asyncio.Task[None]] = set()

    def write_checkpoints() -> None:
        task = asyncio.create_task(host.write_checkpoints())
        writing.add(task)
        task.add_done_callback(writing.discard)

    loop.add_signal_handler(signal.SIGUSR1, write_checkpoints)
    try:
        await serving
    except asyncio.CancelledError:
        await client.close()


def main() -> None:
    """Run `RUNTIME-FILE NAME`."""
    runtime = Runtime.model_validate_json(Path(sys.argv[1]).read_bytes())
    asyncio.run(serve(runtime, sys.argv[2]))


if __name__ == "__main__":
    main()
