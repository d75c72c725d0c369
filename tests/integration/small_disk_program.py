"""Fills a small disk under a real log, in a mount namespace of its own, and looks what happens."""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import pairwise
from pathlib import Path

from events.address import EntityAddress
from events.host import HostStarted
from events.log import Log
from events.storage import Pressure, StoragePressureChanged
from events.streams import StreamLimits, ensure_streams
from standfast.config.model import LogConfiguration
from standfast.keeping.disk_watch import DiskWatch, rooms_of
from tests.fixtures.nats import NatsServer, connect_to
from tests.history import Recorder

MIB = 1024 * 1024
TELEMETRY_MAX = 96 * MIB
BATCH = os.urandom(512 * 1024)
STARTED = HostStarted(pid=1, node="", build="b")


async def main(folder: Path) -> None:
    server = NatsServer(folder / "log")
    server.start()
    try:
        client = await connect_to(server)
        await ensure_streams(client, StreamLimits(telemetry_bytes_max=TELEMETRY_MAX))
        log = await Log.open(client)
        configured = LogConfiguration(
            telemetry_bytes_max=TELEMETRY_MAX,
            disk_high_share=0.3,
            disk_critical_share=0.6,
            disk_eased_share=0.1,
        )
        await live(log, DiskWatch(lambda: log, lambda: configured, folder), folder)
        await client.close()
    finally:
        server.stop()


async def live(log: Log, watch: DiskWatch, folder: Path) -> None:
    """Fill the disk with telemetry, then with something else, then make room."""
    recorder = Recorder(log)
    for _ in range(20):
        await recorder.append("host/kept", STARTED)
    assert await watch.look() == "none"
    await fill(log, 82 * MIB)
    assert await watch.look() == "high"
    for _ in range(8):
        assert await watch.look() == "high", "until there is much more room"
        await asyncio.sleep(0.2)  # the server frees what is over the limit beside its answer
    shrunk = (await rooms_of(log.client)).telemetry
    assert shrunk.limit < TELEMETRY_MAX, shrunk
    assert shrunk.size <= shrunk.limit, shrunk
    await recorder.append("host/kept", STARTED)

    ballast = folder / "ballast"
    ballast.write_bytes(b"x" * 160 * MIB)
    assert await watch.look() == "critical"
    for _ in range(12):
        await watch.look()
    assert (await rooms_of(log.client)).telemetry.limit == 4 * MIB
    for _ in range(20):
        await recorder.append("host/kept", STARTED)
    ballast.unlink()
    await look_until(watch, "none")
    for _ in range(8):
        await watch.look()
    assert (await rooms_of(log.client)).telemetry.limit == TELEMETRY_MAX
    await check(log)


async def fill(log: Log, size: int) -> None:
    stream = log.client.jetstream()
    for _ in range(size // len(BATCH)):
        await stream.publish("sft.probe.test", BATCH)


async def look_until(watch: DiskWatch, pressure: Pressure) -> None:
    async with asyncio.timeout(30):
        while True:
            if await watch.look() == pressure:
                return
            await asyncio.sleep(0.1)


async def check(log: Log) -> None:
    """Each change is in the log once, and every commit is there."""
    told = [
        envelope.event.pressure
        async for stored in log.read_entity(EntityAddress("storage", "log"))
        for envelope in stored.envelopes()
        if isinstance(envelope.event, StoragePressureChanged)
    ]
    assert told[:2] == ["high", "critical"], told
    assert told[-1] == "none", told
    assert all(one != other for one, other in pairwise(told)), told
    kept = [one async for one in log.read_entity(EntityAddress("host", "kept"))]
    assert len(kept) == 41
    sys.stdout.write("all is well\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
