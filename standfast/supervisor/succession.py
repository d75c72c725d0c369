"""A supervisor becomes its successor: the same process, by the code that is installed now."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from standfast.supervisor.processes import base_environment, merged

if TYPE_CHECKING:
    from pathlib import Path

PREFLIGHT_SECONDS = 60.0
HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)


async def successor_trouble(config: Path | None) -> str:
    """Have a process of its own load all that is installed; gives what is wrong, or nothing."""
    options = [str(config)] if config is not None else []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "standfast", "preflight", *options),
        env=merged(base_environment()),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PREFLIGHT_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"it could not be loaded within {PREFLIGHT_SECONDS:g} s"
    lines = said.decode(errors="replace").strip().splitlines()
    return "" if process.returncode == 0 else (lines or ["it can't be loaded"])[-1]


def become_successor() -> NoReturn:
    """Run the command of this process anew. Signals that come meanwhile wait to be heard."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606  (its own command)


def hear_signals() -> None:
    """Let come what waited: the successor can hear it now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
