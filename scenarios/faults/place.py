"""The directory of a run: only what was a run of ours is removed, and a guard watches over it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from scenarios.faults.left import end_all
from scenarios.faults.platform import ROOT
from scenarios.faults.stand import HOME, RUN_PID, StandFailedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LOCK_SECONDS_MAX = 30.0
LOOK_SECONDS = 0.2


@asynccontextmanager
async def claimed(directory: Path) -> AsyncIterator[None]:
    """Give an empty directory to a run until the block ends. An earlier run in it is removed.

    Should this process be killed meanwhile, a guard ends what the run has started. Raises
    `StandFailedError` where the directory is no run, or where one is under way.
    """
    await _clear(directory)
    home = directory / HOME
    home.mkdir(parents=True)
    lock = os.open(home / RUN_PID, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    reading, writing = os.pipe()
    guard = _guard(home, reading, lock)
    os.close(reading)
    try:
        yield
    finally:
        os.close(writing)
        await asyncio.to_thread(guard.wait)
        os.close(lock)


def _guard(home: Path, reading: int, lock: int) -> subprocess.Popen[bytes]:
    """Start the guard. It holds the lock too, so that the next run waits until all is ended."""
    return subprocess.Popen(
        [sys.executable, "-m", "scenarios.faults.guard", str(home.absolute())],
        cwd=ROOT,
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(lock,),
        start_new_session=True,
    )


async def _clear(directory: Path) -> None:
    """Remove an earlier run, and end what it left."""
    lock = _open_earlier(directory)
    if lock is None:
        return
    try:
        await _take(lock, directory)
        await end_all(directory / HOME)
        await asyncio.to_thread(shutil.rmtree, directory)
    finally:
        os.close(lock)


def _open_earlier(directory: Path) -> int | None:
    """Open the pid file of the run in a directory; None where there is nothing to remove."""
    if not directory.exists() and not directory.is_symlink():
        return None
    pid_file = directory / HOME / RUN_PID
    if pid_file.is_file() and not directory.is_symlink():
        return os.open(pid_file, os.O_RDWR | os.O_CLOEXEC)
    with suppress(OSError):  # an empty directory is nobody's
        directory.rmdir()
        return None
    message = f"{directory} is there and is no run of `standfast faults`"
    raise StandFailedError(f"{message}: remove it, or choose another --output")


async def _take(lock: int, directory: Path) -> None:
    until = time.monotonic() + LOCK_SECONDS_MAX
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise StandFailedError(f"another run is under way in {directory}") from None
            await asyncio.sleep(LOOK_SECONDS)
        else:
            return
