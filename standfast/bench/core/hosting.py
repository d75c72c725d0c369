"""Ten thousand service entities in one host: the memory of each, and how soon it is back."""

from __future__ import annotations

import asyncio
import signal
import time
import tracemalloc
from functools import reduce
from typing import TYPE_CHECKING

from actors.runtime.checkpoints import Checkpoints
from actors.runtime.commands import CommandClient
from actors.runtime.description import ask_host
from actors.service import SERVICE, RequestProbe
from events.subjects import CHECKPOINT_STREAM
from standfast.bench.figure import Figure, Goal, Peer
from standfast.bench.ground import HOST, GroundError, first_answer, ground, unshared_bytes
from standfast.bench.samples import history, service, write_history

if TYPE_CHECKING:
    import subprocess

    from standfast.bench.ground import Ground

ENTITIES = 10_000
EVENTS_EACH = 4
AT_ONCE = 200
CHECKPOINT_SECONDS = 20.0
TAIL_SHARE_MAX = 0.1
"""With a checkpoint at most so much of the history may be read again."""
ALONE = "the same states alone, read from JSON"
WITHOUT_RAY = "a host in a process of its own: how soon Ray sees an end comes on top"
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
        full, cold = await _recover(under, full, has_checkpoint=False)
        await _write_checkpoint(under, full)
        _, warm = await _recover(under, full, has_checkpoint=True)
    return [
        _memory(held),
        _recovery("host_recovery_seconds", warm, bare, 2),
        _recovery("host_recovery_without_checkpoint_seconds", cold, bare, 4),
    ]


def _memory(held: int) -> Figure:
    peer = Peer(name=ALONE, value=_states_bytes() / ENTITIES / 1024)
    return Figure("entity_kb", held / ENTITIES / 1024, "KiB", "lower", peer, Goal(8))


def _recovery(name: str, seconds: float, bare: float, most: float) -> Figure:
    peer = Peer(name=BARE, value=bare)
    return Figure(name, seconds, "s", "lower", peer, Goal(most), WITHOUT_RAY)


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
    under: Ground, host: subprocess.Popen[bytes], *, has_checkpoint: bool
) -> tuple[subprocess.Popen[bytes], float]:
    """Kill a host, start it again, and give the time from the kill to its first answer.

    How many commits it read one by one to know its entities shows whether it had a checkpoint.
    """
    began = time.perf_counter()
    _kill(host)
    if not has_checkpoint:  # it has written some by itself
        await under.client.jsm().purge_stream(CHECKPOINT_STREAM)
    process = under.spawn_host()
    await first_answer(under.client, service(ENTITIES // 2))
    seconds = time.perf_counter() - began
    known = await ask_host(under.client, HOST, entities=False)
    assert known.entity_count == ENTITIES, f"{known.entity_count} of {ENTITIES} services are back"
    history = ENTITIES * EVENTS_EACH
    most, whole = TAIL_SHARE_MAX * history, history + ENTITIES
    if known.replayed > most if has_checkpoint else known.replayed < whole:
        wanted = f"at most {most:.0f}" if has_checkpoint else f"all {whole}"
        what = f"{known.replayed} commits, and not {wanted}"
        raise GroundError(f"the host read {what}: it was not measured what was to be")
    return process, seconds


async def _command_each(under: Ground) -> None:
    """Have every service do something, so that none is as it was read."""
    client = CommandClient(under.client, principal="process:bench", source="/standfast/bench")
    for first in range(0, ENTITIES, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, ENTITIES))
        sent = [client.send(service(number), RequestProbe(reason="bench")) for number in numbers]
        answers = await asyncio.gather(*sent)
        assert all(answer.accepted for answer in answers), "not all services took a command"


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
