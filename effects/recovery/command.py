"""`command.run`: a configured command, once; nobody can check afterwards whether it was of use."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from effects.contract import (
    Assignment,
    Cancelled,
    Failed,
    Result,
    Succeeded,
    Unknown,
)
from effects.recovery import command_keeper
from effects.recovery.child import INHERITED
from effects.recovery.command_keeper import NOT_RUN
from effects.recovery.running import wait_readable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from effects.contract import Guard, Progress
    from effects.recovery.actions import SettingsOf

OUTPUT_BYTES_MAX = 64 * 1024
SHOWN_CHARACTERS_MAX = 300
KILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """A command that is ready to be run, with its whole environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Runs `recovery.command` of a service in a process group of its own, until its deadline.

    What it leaves running on purpose must not write to its output. It gets a small clean
    environment with `STANDFAST_SERVICE`, `STANDFAST_IDEMPOTENCY_KEY` and `STANDFAST_FENCE`.
    """

    settings_of: SettingsOf
    repeatable: bool = False
    checkable: bool = False

    async def prepare(self, assignment: Assignment) -> Order | Failed:
        """Find the command."""
        service = assignment.text("service")
        settings = await self.settings_of(service)
        if settings is None:
            return Failed(f"no service {service!r} is configured")
        command = settings.recovery.command if settings.recovery else ()
        if not command:
            return Failed(f"{service} has no recovery.command to run", permanent=True)
        if shutil.which(command[0]) is None:
            return Failed(f"the command {command[0]} was not found", permanent=True)
        return Order(command, _environment(assignment))

    async def run(self, prepared: Order, guard: Guard, progress: Progress) -> Result:
        """Run it to its end, or to the end of its time."""
        del progress
        guard.step("run the command")
        execution = _Execution(_start(prepared, time.monotonic() + guard.left_seconds))
        return await execution.finish(guard)

    async def verify(self, assignment: Assignment, began: datetime) -> Result:
        """A command leaves no trace that we know of."""
        del began
        service = assignment.text("service")
        return Unknown(f"nobody knows how far the command of {service} came: its executor ended")

    async def undo(self, prepared: Order) -> bool:
        """What a command has done stays."""
        del prepared
        return False


def _environment(assignment: Assignment) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | assignment.environment()


def _start(order: Order, deadline: float) -> subprocess.Popen[bytes]:
    keeper = (sys.executable, "-I", "-S", command_keeper.__file__)
    return subprocess.Popen(
        (*keeper, json.dumps(order.command), repr(deadline)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=dict(order.environment),
        start_new_session=True,
    )


class _Execution:
    """One running command: of its output only the end is kept."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._process = process
        self._pipe = process.stdout
        self._kept = bytearray()
        os.set_blocking(self._pipe.fileno(), False)

    async def finish(self, guard: Guard) -> Result:
        """Wait for its end, or for the guard's."""
        loop = asyncio.get_running_loop()
        ended = os.pidfd_open(self._process.pid)
        loop.add_reader(self._pipe.fileno(), self._take)
        try:
            has_ended = await _first(ended, guard)
            self._take()
            return self._judge() if has_ended else self._stopped(guard)
        finally:
            loop.remove_reader(self._pipe.fileno())
            await self._end(ended)

    def _judge(self) -> Result:
        """Say what the keeper's end means."""
        code, line = self._process.wait(), _last_line(bytes(self._kept))
        said = f": {line}" if line else ""
        if code == 0:
            return Succeeded(line)
        if code < 0:
            return Unknown(f"the command was killed at its deadline{said}")
        return Failed(f"the command ended with code {code}{said}", permanent=code == NOT_RUN)

    def _stopped(self, guard: Guard) -> Result:
        if guard.is_cancelled and guard.left_seconds > 0:
            return Cancelled("the command was killed: its stop was asked for")
        return Unknown("the command was killed at its deadline")

    def _take(self) -> None:
        """Read what there is, so that nobody blocks, and keep its end."""
        with suppress(BlockingIOError):
            chunk = os.read(self._pipe.fileno(), OUTPUT_BYTES_MAX)
            self._kept += chunk
            del self._kept[:-OUTPUT_BYTES_MAX]
            if not chunk:
                asyncio.get_running_loop().remove_reader(self._pipe.fileno())

    async def _end(self, ended: int) -> None:
        """Kill what still runs where the keeper runs; what a finished command left may stay."""
        assert self._process.stdin is not None
        try:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                await wait_readable(ended, KILL_SECONDS)
                self._process.poll()
        finally:
            self._process.stdin.close()
            self._pipe.close()
            os.close(ended)


async def _first(ended: int, guard: Guard) -> bool:
    """Wait for the process; false where the guard's end came first."""
    waits = (
        asyncio.ensure_future(wait_readable(ended, max(0.0, guard.left_seconds))),
        asyncio.ensure_future(guard.wait_cancelled()),
    )
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return waits[0].done() and bool(waits[0].result())
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return "".join(one if one.isprintable() else " " for one in last)[:SHOWN_CHARACTERS_MAX]
