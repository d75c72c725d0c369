"""A host in a process of its own, without Ray: what Ray would only place and restart.

Run as `python -m scenarios.host_process RUNTIME-FILE NAME`.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from pathlib import Path

import msgspec

from actors.runtime.host import Host, HostSettings
from events.build import build_id
from events.commit import Author
from events.log import Log
from events.server import ServerAddress, connect


class _Runtime(msgspec.Struct):
    """What a host needs of the runtime file."""

    log_url: str
    log_token: str
    platform: str
    cell: str


async def serve(runtime: _Runtime, name: str) -> None:
    """Host what the placement gives to a name until SIGTERM; SIGUSR1 writes checkpoints."""
    client = await connect(ServerAddress(runtime.log_url, runtime.log_token), name)
    author = Author(runtime.platform, runtime.cell, build_id())
    host = Host(await Log.open(client), HostSettings(name, author), settled=gc.freeze)
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
    """Serve until told to stop."""
    runtime = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=_Runtime)
    asyncio.run(serve(runtime, sys.argv[2]))


if __name__ == "__main__":
    main()
