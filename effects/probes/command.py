"""A command check is good with exit codes 0 and 1, by Nagios's rule; nothing of it outlives it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from effects.probes.looking import OWN_FAULTS, Bad, Finding, Good, observed
from effects.recovery.child import INHERITED
from effects.recovery.running import wait_readable
from effects.secrets import SecretUnavailableError, hide, resolve_all

if TYPE_CHECKING:
    from effects.ports import Observed
    from events.service import CommandCheck

OUTPUT_BYTES_MAX = 64 * 1024
COMMANDS_MAX = 16
KILL_SECONDS = 5.0


class CommandProbe:
    """Runs commands, each in a process group of its own that is killed at the end."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(COMMANDS_MAX)

    async def probe(self, check: CommandCheck) -> Observed:
        """Run the command once. Waiting for a free place is not the command's time."""
        async with self._places:
            start = time.monotonic()
            finding = await _look(check)
            return observed(finding, time.monotonic() - start)


async def _look(check: CommandCheck) -> Finding:
    try:
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment |= resolve_all(check.environment)
        process = _start(check, environment)
    except SecretUnavailableError as error:
        return Bad(str(error))
    except OSError as error:
        reason = f"{check.command[0]} can't be run: {error.strerror}"
        return Bad(reason, own_fault=error.errno in OWN_FAULTS)
    output = await _Run(process).finish(check.timeout_seconds)
    if output is None:
        return Bad(f"the command did not end within {check.timeout_seconds:g} s")
    line = hide(_first_line(output), check.environment.values())
    return _judge(Path(check.command[0]).name, process.returncode, line)


def _start(check: CommandCheck, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        check.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=environment,
        start_new_session=True,
    )


class _Run:
    """One started command: its output is taken as it comes, and only so much of it is kept."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._process = process
        self._pipe = process.stdout
        self._kept = bytearray()
        os.set_blocking(self._pipe.fileno(), False)

    async def finish(self, timeout_seconds: float) -> bytes | None:
        """Wait for the end and give the output; None where the time was up first."""
        loop = asyncio.get_running_loop()
        ended = os.pidfd_open(self._process.pid)
        loop.add_reader(self._pipe.fileno(), self._take)
        try:
            if not await wait_readable(ended, timeout_seconds):
                return None
            self._take()
            return bytes(self._kept)
        finally:
            loop.remove_reader(self._pipe.fileno())
            self._pipe.close()
            await self._end_group(ended)

    def _take(self) -> None:
        """Read what there is; beyond the limit it is thrown away, so that nobody blocks."""
        with suppress(BlockingIOError):
            chunk = os.read(self._pipe.fileno(), OUTPUT_BYTES_MAX)
            self._kept += chunk[: OUTPUT_BYTES_MAX - len(self._kept)]
            if not chunk:
                asyncio.get_running_loop().remove_reader(self._pipe.fileno())

    async def _end_group(self, ended: int) -> None:
        """Kill the group before its leader is reaped: until then its number is nobody else's."""
        try:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await wait_readable(ended, KILL_SECONDS)
        finally:
            self._process.poll()
            os.close(ended)


def _first_line(output: bytes) -> str:
    """Give the line for people; what follows `|` is for machines."""
    text = output.decode(errors="replace").strip()
    return text.partition("\n")[0].partition("|")[0].strip()


def _judge(name: str, code: int, line: str) -> Finding:
    """Say what an exit code means; where the command said nothing, name it and its code."""
    said = f": {line}" if line else f" ({name} said nothing and ended with {code})"
    match code:
        case 0:
            return Good()
        case 1:
            return Good(f"warning{said}")
        case 2:
            return Bad(f"critical{said}")
        case 3:
            return Bad(f"the command could not tell{said}")
        case _ if code < 0:
            return Bad(f"the command was killed by signal {-code}{said}")
        case _:
            return Bad(f"the command ended with code {code}{said}")
