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
from standfast.bench.figure import Figure, Goal
from standfast.bench.ground import GroundError, end
from standfast.supervisor.processes import base_environment

READY_SECONDS = 90.0
ASK_SECONDS = 1.0
RETRY_SECONDS = 0.02
OUTPUT_CHARACTERS = 1_000


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
    return [Figure("ready_seconds", seconds, "s", "lower", goal=Goal(15))]


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
