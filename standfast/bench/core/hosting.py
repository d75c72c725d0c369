"""Ten thousand service entities in one host: the memory of each, and how soon it is back."""

from __future__ import annotations

import asyncio
import signal
import time
import tracemalloc
from contextlib import suppress
from functools import reduce
from typing import TYPE_CHECKING

from actors.runtime.checkpoints import Checkpoints
from actors.runtime.commands import CommandClient, NoAnswerError
from actors.runtime.description import ask_host
from actors.service import SERVICE, RequestProbe
from standfast.bench.figure import Figure, Goal, Peer
from standfast.bench.ground import HOST, GroundError, ground, unshared_bytes
from standfast.bench.samples import history, service, write_history

if TYPE_CHECKING:
    import subprocess

    from standfast.bench.ground import Ground

ENTITIES = 10_000
EVENTS_EACH = 4
AT_ONCE = 200
CHECKPOINT_SECONDS = 20.0
ANSWER_SECONDS = 20.0
TRY_SECONDS = 0.05
ALONE = "the same states alone, read from JSON"
BARE = "kill -9 of a process with nats-py alone to its successor's answer"


async def measure_hosting() -> list[Figure]:
    """Measure an empty host, then one with all entities, killed without and with a checkpoint.

    The host is a process of its own: what Ray adds is how soon it sees the end, and starts another.
    """
    async with ground() as under:
        await under.place("service")
        empty = await under.start_host()
        before = unshared_bytes(empty.pid)
        _kill(empty)
        await write_history(under.log, ENTITIES, EVENTS_EACH)
        full = await under.start_host()
        await _command_each(under)
        held = unshared_bytes(full.pid) - before
        bare = await _restart_bare(under)
        full, cold = await _recover(under, full)
        await _write_checkpoint(under, full)
        _, warm = await _recover(under, full)
    return [
        _memory(held),
        _recovery("host_recovery_seconds", warm, bare, 2),
        _recovery("host_recovery_without_checkpoint_seconds", cold, bare, 4),
    ]


def _memory(held: int) -> Figure:
    peer = Peer(name=ALONE, value=_states_bytes() / ENTITIES / 1024)
    return Figure("entity_kb", held / ENTITIES / 1024, "KiB", "lower", peer, Goal(8))


def _recovery(name: str, seconds: float, bare: float, most: float) -> Figure:
    return Figure(name, seconds, "s", "lower", Peer(name=BARE, value=bare), Goal(most))


def _states_bytes() -> int:
    """Give what as many states take that are read from their stored bytes, without hosts."""
    state = reduce(SERVICE.evolve, history(EVENTS_EACH), SERVICE.initial)
    stored = SERVICE.states.dump_json(state)
    tracemalloc.start()
    states = [SERVICE.states.validate_json(stored) for _ in range(ENTITIES)]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(states) == ENTITIES
    return held


async def _restart_bare(under: Ground) -> float:
    """Give the time from the kill of a process that only answers to its successor's answer."""
    first = under.spawn_bare_host()
    await under.wait_for_bare_host()
    began = time.perf_counter()
    _kill(first)
    under.spawn_bare_host()
    await under.wait_for_bare_host()
    return time.perf_counter() - began


async def _recover(
    under: Ground, host: subprocess.Popen[bytes]
) -> tuple[subprocess.Popen[bytes], float]:
    """Kill a host, start it again, and give the time from the kill to its first answer."""
    client = CommandClient(under.client, principal="process:bench", source="/standfast/bench")
    began = time.perf_counter()
    _kill(host)
    process = under.spawn_host()
    await _first_answer(client)
    seconds = time.perf_counter() - began
    known = await ask_host(under.client, HOST, entities=False)
    assert known.entity_count == ENTITIES, f"{known.entity_count} of {ENTITIES} services are back"
    return process, seconds


async def _command_each(under: Ground) -> None:
    """Have every service do something, so that none is as it was read."""
    client = CommandClient(under.client, principal="process:bench", source="/standfast/bench")
    for first in range(0, ENTITIES, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, ENTITIES))
        sent = [client.send(service(number), RequestProbe(reason="bench")) for number in numbers]
        answers = await asyncio.gather(*sent)
        assert all(answer.accepted for answer in answers), "not all services took a command"


async def _first_answer(client: CommandClient) -> None:
    """Ask again and again, so that no pause between questions is measured."""
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until:
        command = RequestProbe(reason="bench")
        with suppress(NoAnswerError):
            answer = await client.send(
                service(ENTITIES // 2), command, patience_seconds=TRY_SECONDS
            )
            assert answer.accepted, answer
            return
    raise GroundError("the host did not answer again")


def _kill(host: subprocess.Popen[bytes]) -> None:
    host.kill()
    host.wait()


async def _write_checkpoint(under: Ground, host: subprocess.Popen[bytes]) -> None:
    """Have the host write its checkpoints, and wait until all buckets have one."""
    host.send_signal(signal.SIGUSR1)
    until = time.monotonic() + CHECKPOINT_SECONDS
    while time.monotonic() < until:
        written = await Checkpoints(under.log).read(["service"])
        if sum(len(one.entities) for one in written.values()) >= ENTITIES:
            return
        await asyncio.sleep(0.1)
    raise GroundError("the host wrote no checkpoint in time")
