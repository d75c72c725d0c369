"""Commands from this process to a host in another, answered after a synced, fenced commit."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.runtime.commands import CommandClient
from actors.service import RequestProbe
from standfast.bench.bare_host import ECHOED, STORED
from standfast.bench.figure import Figure, Goal, Peer
from standfast.bench.ground import ground
from standfast.bench.measurement import in_turn, quantile
from standfast.bench.samples import service, write_history

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from nats.aio.client import Client

    Send = Callable[[int], Awaitable[None]]

BUSY_COMMANDS = 15_000
BUSY_WORKERS = 800
BUSY_ROUNDS = 2
PACED_COMMANDS = 500
PACED_ROUNDS = 4
PACED_PER_SECOND = 200
ENTITIES = 100
ANSWER_SECONDS = 5.0
PAYLOAD = b"x" * 300
STORING = "nats-py request, answered after a bare fenced publish"
ECHOING = "nats-py request, answered at once, nothing stored"


async def measure_commands() -> list[Figure]:
    """Measure one busy entity, and the times of commands to many at a steady pace."""
    async with ground() as under:
        await write_history(under.log, ENTITIES, 1)
        await under.place("service")
        await under.start_host()
        under.spawn_bare_host()
        await under.wait_for_bare_host()
        bare = Bare(under.client)
        ours = Ours(CommandClient(under.client, principal="process:bench", source="/bench"))
        times, bare_times = await _paced_in_turn(ours.command, bare.store)
        busy, echoed = await in_turn(
            lambda: _busy(ours.command_one), lambda: _busy(bare.echo), rounds=BUSY_ROUNDS
        )
    return [
        Figure(
            "commands_one_entity_per_second",
            busy,
            "commands/s",
            "higher",
            Peer(name=ECHOING, value=echoed),
            Goal(10_000),
        ),
        _time("command_p50_ms", 0.50, times, bare_times, 2),
        _time("command_p99_ms", 0.99, times, bare_times, 5),
    ]


def _time(
    name: str, share: float, ours: Sequence[float], bare: Sequence[float], most: float
) -> Figure:
    peer = Peer(name=STORING, value=quantile(bare, share))
    return Figure(name, quantile(ours, share), "ms", "lower", peer, Goal(most))


@dataclass(frozen=True, slots=True)
class Ours:
    """Commands to a host."""

    client: CommandClient

    async def command(self, number: int) -> None:
        """Send a command to one of the entities, and have it carried out."""
        answer = await self.client.send(service(number % ENTITIES), RequestProbe(reason="bench"))
        assert answer.accepted, answer

    async def command_one(self, _number: int) -> None:
        """Send a command to always the same entity."""
        await self.command(0)


@dataclass(frozen=True, slots=True)
class Bare:
    """Requests of the same size to a process that has nothing but nats-py."""

    client: Client

    async def store(self, number: int) -> None:
        """Have a request stored under one of the subjects, and answered."""
        subject = f"{STORED}.{number % ENTITIES}"
        await self.client.request(subject, PAYLOAD, ANSWER_SECONDS)

    async def echo(self, _number: int) -> None:
        """Have a request answered at once."""
        await self.client.request(ECHOED, PAYLOAD, ANSWER_SECONDS)


async def _busy(send: Send) -> int:
    left = iter(range(BUSY_COMMANDS))

    async def work() -> None:
        for number in left:
            await send(number)

    await asyncio.gather(*[work() for _ in range(BUSY_WORKERS)])
    return BUSY_COMMANDS


async def _paced_in_turn(ours: Send, bare: Send) -> tuple[list[float], list[float]]:
    """Give the milliseconds of both, a part of each in turn."""
    times, bare_times = list[float](), list[float]()
    for _ in range(PACED_ROUNDS):
        times += await _paced(ours)
        bare_times += await _paced(bare)
    return times, bare_times


async def _paced(send: Send) -> list[float]:
    """Send at a pace whatever the answers take. Gives each one's milliseconds."""
    times: list[float] = []

    async def timed(number: int) -> None:
        began = time.perf_counter()
        await send(number)
        times.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(PACED_COMMANDS):
            due = began + number / PACED_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(timed(number))
    return times
