"""Commands from this process to a host in another, answered after a synced, fenced commit."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from actors.runtime.commands import CommandClient
from actors.service import RequestProbe
from standfast.bench.figure import Figure, Goal
from standfast.bench.ground import ground
from standfast.bench.measurement import rate
from standfast.bench.samples import service, write_history

if TYPE_CHECKING:
    from events.address import EntityAddress

BUSY_COMMANDS = 30_000
BUSY_WORKERS = 800
PACED_COMMANDS = 2_000
PACED_PER_SECOND = 200
ENTITIES = 100


async def measure_commands() -> list[Figure]:
    """Measure one busy entity, and the times of commands to many at a steady pace."""
    async with ground() as under:
        await write_history(under.log, ENTITIES, 1)
        await under.place("service")
        await under.start_host()
        client = CommandClient(under.client, principal="process:bench", source="/standfast/bench")
        times = await _paced(client)
        busy = await rate(lambda: _busy(client))
    times.sort()
    return [
        Figure("commands_one_entity_per_second", busy, "commands/s", "higher", goal=Goal(10_000)),
        Figure("command_p50_ms", _share(times, 0.50), "ms", "lower", goal=Goal(2)),
        Figure("command_p99_ms", _share(times, 0.99), "ms", "lower", goal=Goal(5)),
    ]


async def _busy(client: CommandClient) -> int:
    entity, left = service(0), iter(range(BUSY_COMMANDS))

    async def work() -> None:
        for _ in left:
            await _command(client, entity)

    await asyncio.gather(*[work() for _ in range(BUSY_WORKERS)])
    return BUSY_COMMANDS


async def _paced(client: CommandClient) -> list[float]:
    """Send at a pace whatever the answers take. Gives each command's milliseconds."""
    times: list[float] = []

    async def send(number: int) -> None:
        began = time.perf_counter()
        await _command(client, service(number % ENTITIES))
        times.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(PACED_COMMANDS):
            due = began + number / PACED_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(send(number))
    return times


async def _command(client: CommandClient, entity: EntityAddress) -> None:
    answer = await client.send(entity, RequestProbe(reason="bench"))
    assert answer.accepted, answer


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
