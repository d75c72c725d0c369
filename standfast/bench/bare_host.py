"""What a host does, bare: a request is answered by nats-py after a synced, fenced publish."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from events.server import connect
from standfast.runtime import Runtime

if TYPE_CHECKING:
    from nats.aio.msg import Msg

STORED, ECHOED = "bare.stored", "bare.echoed"
"""Requests to `bare.stored.<entity>` are answered when stored, to `bare.echoed` at once."""
FENCE = "Nats-Expected-Last-Subject-Sequence"


async def serve(runtime: Runtime) -> None:
    """Answer until SIGTERM."""
    client = await connect(runtime.address, "bare")
    stream, heads = client.jetstream(), dict[str, int]()

    async def store(message: Msg) -> None:
        subject = f"sf.bare.00.{message.subject.rpartition('.')[2]}"
        headers = {FENCE: str(heads.get(subject, 0))}
        heads[subject] = (await stream.publish(subject, message.data, headers=headers)).seq
        await message.respond(b"done")

    async def echo(message: Msg) -> None:
        await message.respond(message.data)

    await client.subscribe(f"{STORED}.*", cb=store)
    await client.subscribe(ECHOED, cb=echo)
    await client.flush()
    serving = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        await client.close()


def main() -> None:
    """Run `RUNTIME-FILE`."""
    asyncio.run(serve(Runtime.model_validate_json(Path(sys.argv[1]).read_bytes())))


if __name__ == "__main__":
    main()
