"""The log's server while Standfast does not run: commands share one, and the last ends it."""

from __future__ import annotations

import asyncio
import fcntl
import time
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING

from effects.recovery.child import Refused, Running
from effects.recovery.process import ChildProcesses
from events.server import ServerAddress, prepare_server
from standfast.running import pid_of, supervisor_pid
from standfast.runtime import NotRunningError
from standfast.supervisor.ports import kept_port
from standfast.supervisor.processes import LOG, log_spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from standfast.paths import StateDirectory

PATIENCE_SECONDS = 30.0
RETRY_SECONDS = 0.05
FILE_NAME = "alone.lock"


def is_alone(directory: StateDirectory) -> bool:
    """Say whether commands must bring their own server: none runs, or one of theirs does."""
    pid = pid_of(ChildProcesses(directory.processes), LOG)
    if pid is None or pid == _kept_pid(directory):
        return True
    if supervisor_pid(directory) is not None:
        return False
    with (directory.root / FILE_NAME).open("a+") as file:
        starts_just_now = not _lock(file, fcntl.LOCK_SH)
    return starts_just_now or pid == _kept_pid(directory)


@asynccontextmanager
async def alone(directory: StateDirectory) -> AsyncIterator[ServerAddress]:
    """Use the embedded server of a state directory, started where no other command did.

    Every user holds a shared lock on a file that names the server's process; whoever can turn
    its lock into the only one is the last, and stops the server, unless a supervisor has taken
    it over meanwhile. Raises `NotRunningError`.
    """
    with (directory.root / FILE_NAME).open("a+") as file:
        address = await _join(directory, file)
        try:
            yield address
        finally:
            if _lock(file, fcntl.LOCK_EX) and supervisor_pid(directory) is None:
                await _stop(directory)


async def _join(directory: StateDirectory, file: IO[str]) -> ServerAddress:
    """Get a shared lock while the server runs, started by us where it does not."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if _lock(file, fcntl.LOCK_SH) and _runs(directory):
            return _address(directory)
        if _lock(file, fcntl.LOCK_EX):
            if not _runs(directory):
                await _start(directory, file)
            continue  # and take the shared lock, which others may have had first
        await asyncio.sleep(RETRY_SECONDS)
    raise NotRunningError("another command keeps the log to itself; try again when it is done")


def _runs(directory: StateDirectory) -> bool:
    return isinstance(ChildProcesses(directory.processes).look(LOG), Running)


async def _start(directory: StateDirectory, file: IO[str]) -> None:
    prepare_server(directory.log, kept_port(directory.log / "port", keep=False))
    outcome = await ChildProcesses(directory.processes).start(log_spec(directory))
    if isinstance(outcome, Refused):
        raise NotRunningError(f"the log could not be started: {outcome.reason}")
    file.truncate(0)
    file.write(str(outcome.pid))
    file.flush()


async def _stop(directory: StateDirectory) -> None:
    children = ChildProcesses(directory.processes)
    if pid_of(children, LOG) == _kept_pid(directory):
        await children.stop(LOG)


def _address(directory: StateDirectory) -> ServerAddress:
    """Read where the server that runs listens; whoever started it wrote that down."""
    port = int((directory.log / "port").read_text())
    return ServerAddress(f"nats://127.0.0.1:{port}", (directory.log / "token").read_text())


def _kept_pid(directory: StateDirectory) -> int | None:
    try:
        return int((directory.root / FILE_NAME).read_text())
    except (OSError, ValueError):
        return None


def _lock(file: IO[str], how: int) -> bool:
    """Try to have a lock of a kind, in place of the one that is held."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
