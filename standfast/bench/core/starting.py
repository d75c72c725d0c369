"""`standfast up` from nothing, with a fresh state directory and the demo, until it is ready."""

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

from events.server import free_port
from standfast.bench.figure import Figure, Goal, Peer
from standfast.bench.ground import GroundError, end
from standfast.supervisor.processes import base_environment, merged

READY_SECONDS = 90.0
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
    """Measure from the command to `/readyz` saying yes: then every service has a verdict."""
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as name:
        directory, port = Path(name), free_port()
        with (directory / "output").open("wb") as output:
            process = _up(directory / "state", port, output.fileno())
            began = time.perf_counter()
            try:
                await _wait_ready(process, port, directory / "output")
                seconds = time.perf_counter() - began
            finally:
                end(process, signal.SIGINT, READY_SECONDS)
    peer = Peer(name=RAY, value=_start_ray())
    return [Figure("ready_seconds", seconds, "s", "lower", peer, Goal(15))]


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
