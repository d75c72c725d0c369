"""`standfast up` from nothing, with the demo, until it is ready; and a host killed under Ray."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from actors.runtime.description import ask_host
from events.address import EntityAddress
from events.server import connect, free_port
from scenarios.faults.recorded import descendant, recorded_child
from standfast.bench.figure import Figure, Goal, Peer
from standfast.bench.ground import GroundError, end, first_answer
from standfast.paths import StateDirectory
from standfast.runtime import Situation
from standfast.supervisor.processes import RAY as RAY_PROCESS
from standfast.supervisor.processes import base_environment, merged

READY_SECONDS = 90.0
HOST, SERVICE = "service-host", EntityAddress("service", "demo-app")
FEW = "under Ray, with the few services of the demo"
ASK_SECONDS = 1.0
RETRY_SECONDS = 0.02
OUTPUT_CHARACTERS = 1_000
RAY = "Ray alone, from its import to the first answer of an actor"
RAY_PROGRAM = """
import ray
ray.init("local", num_cpus=1, include_dashboard=False, _node_ip_address="127.0.0.1")
actor = ray.remote(type("Actor", (), {"answer": lambda self: 1})).remote()
assert ray.get(actor.answer.remote()) == 1
print("answered", flush=True)
ray.shutdown()
"""


async def measure_start() -> list[Figure]:
    """Measure from the command to `/readyz` saying yes: then every service has a verdict.

    Then the host of services is killed, and Ray has to see it and start it anew.
    """
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as name:
        directory, port = Path(name), free_port()
        with (directory / "output").open("wb") as output:
            process = _up(directory / "state", port, output.fileno())
            began = time.perf_counter()
            try:
                await _wait_ready(process, port, directory / "output")
                seconds = time.perf_counter() - began
                back = await _kill_host(StateDirectory(directory / "state"))
            finally:
                end(process, signal.SIGINT, READY_SECONDS)
    peer = Peer(name=RAY, value=_start_ray())
    return [
        Figure("ready_seconds", seconds, "s", "lower", peer, Goal(15)),
        Figure("host_recovery_under_ray_seconds", back, "s", "lower", note=FEW),
    ]


async def _kill_host(state: StateDirectory) -> float:
    """Give the time from a kill -9 of the host of services to the first answer of its successor."""
    client = await connect(Situation.read(state).runtime.address, "bench")
    try:
        await first_answer(client, SERVICE)
        ray = recorded_child(state.processes, RAY_PROCESS)
        described = await ask_host(client, HOST, entities=False)
        host = None if ray is None else descendant(ray, HOST, described.pid)
        if host is None:
            raise GroundError(f"{HOST} does not run below our Ray")
        began = time.perf_counter()
        host.kill()
        await first_answer(client, SERVICE)
        return time.perf_counter() - began
    finally:
        await client.close()


def _start_ray() -> float:
    """Give how long it takes until an actor of a Ray with nothing else answers."""
    began = time.perf_counter()
    with subprocess.Popen(
        (sys.executable, "-c", RAY_PROGRAM),
        env=merged(base_environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        answered = process.stdout.readline() == b"answered\n"
        seconds = time.perf_counter() - began
    if not answered:
        raise GroundError("Ray alone did not start")
    return seconds


def _up(state: Path, port: int, output: int) -> subprocess.Popen[bytes]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("STANDFAST_")}
    environment = {**ours, **base_environment(), "STANDFAST_STATE_DIR": str(state)}
    command = (sys.executable, "-m", "standfast", "up", "--address", f"127.0.0.1:{port}")
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
    )


async def _wait_ready(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while time.monotonic() < until and process.poll() is None:
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                    if response.ok:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(RETRY_SECONDS)
    raise GroundError(f"`standfast up` did not become ready: {_end_of(output)}")


def _end_of(output: Path) -> str:
    return output.read_text(errors="replace")[-OUTPUT_CHARACTERS:]
