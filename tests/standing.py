"""Standfast itself, started as people start it, for tests that break it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from events.server import free_port
from tests.waiting import is_gone

READY_SECONDS = 90.0
RUN_SECONDS = 240.0
ROOT = Path(__file__).absolute().parent.parent


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    returncode: int
    output: str
    errors: str


@dataclass
class Standing:
    """One `standfast up` with a state directory and port of its own, from a folder of packages."""

    directory: Path
    config: Path | None = None
    python: str = sys.executable
    is_told_where: bool = True
    root: Path = ROOT
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What commands beside it need to find it, and our packages where they are told."""
        ours = {"PYTHONPATH": str(self.root)} if self.is_told_where else {}
        return {**os.environ, "STANDFAST_STATE_DIR": str(self.directory), **ours}

    @property
    def output(self) -> str:
        """What the supervisor printed."""
        return (self.directory.parent / "up.log").read_text()

    def start(self) -> None:
        """Start the supervisor; see `wait_ready`."""
        self.directory.mkdir(parents=True, exist_ok=True)
        command = [self.python, "-m", "standfast", "up", "--address", f"127.0.0.1:{self.port}"]
        if self.config is not None:
            command += ["--config", str(self.config)]
        with (self.directory.parent / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd="/",
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    async def wait_ready(self, timeout_seconds: float = READY_SECONDS) -> float:
        """Wait for `/readyz`; gives the seconds it took."""
        began = time.monotonic()
        async with httpx.AsyncClient(timeout=2.0) as client:
            while time.monotonic() < began + timeout_seconds:
                assert self.process is not None
                assert self.process.poll() is None, self.output
                try:
                    if (await client.get(self.url("/readyz"))).status_code == 200:
                        return time.monotonic() - began
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.1)
        raise TimeoutError(self.output)

    def url(self, path: str) -> str:
        """Give the address of a page."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def get(self, path: str) -> Any:
        """Ask the API."""
        async with httpx.AsyncClient(timeout=5.0) as client:
            answer = await client.get(self.url(path))
            answer.raise_for_status()
            return answer.json()

    async def wait_for(self, path: str, condition: Any, timeout_seconds: float = 30.0) -> Any:
        """Ask the API until a condition on its answer holds, and give that answer."""
        answer: Any = None
        until = time.monotonic() + timeout_seconds
        while time.monotonic() < until:
            try:
                answer = await self.get(path)
                if condition(answer):
                    return answer
            except httpx.HTTPError as error:
                answer = error
            await asyncio.sleep(0.1)
        message = f"{path} did not come to it in {timeout_seconds} s: {answer}"
        raise TimeoutError(message)

    async def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command beside it, and give its output."""
        ended = await self.run_to_end(*arguments)
        assert ended.returncode == code, f"{arguments}: {ended.output}{ended.errors}"
        return ended.output

    async def run_to_end(self, *arguments: str) -> Ended:
        """Run a command beside it, however it ends."""
        process = await asyncio.create_subprocess_exec(
            self.python,
            "-m",
            "standfast",
            *arguments,
            cwd="/",
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
        return Ended(process.returncode or 0, output.decode(), errors.decode())

    async def json(self, *arguments: str) -> Any:
        """Run a command with `--json`, and give what it printed."""
        return json.loads(await self.run(*arguments, "--json"))

    def pid_of(self, name: str) -> int:
        """Give the pid of one of Standfast's own processes."""
        record = (self.directory / "processes" / f"{name}.json").read_bytes()
        return int(json.loads(record)["pid"])

    def pids(self) -> dict[str, int]:
        """Give the pids of all recorded processes, services' children included."""
        return {
            path.stem: int(json.loads(path.read_bytes())["pid"])
            for folder in ("processes", "children")
            for path in (self.directory / folder).glob("*.json")
        }

    def kill(self) -> None:
        """Kill -9 the supervisor alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as Ctrl-C does, and prove that nothing is left."""
        assert self.process is not None
        tree = self.everything()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        left = [pid for pid in tree if not is_gone(pid)]
        until = time.monotonic() + 10
        while left and time.monotonic() < until:
            time.sleep(0.1)
            left = [pid for pid in left if not is_gone(pid)]
        assert not left, f"{left} outlived `standfast up`"

    def everything(self) -> list[int]:
        """Give the pids of all that belongs to it, the descendants too."""
        pids = set(self.pids().values())
        for pid in list(pids):
            try:
                pids |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
            except psutil.NoSuchProcess:
                pids.discard(pid)
        return sorted(pids)
