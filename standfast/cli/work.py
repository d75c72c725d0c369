"""The work of a command: it may be stopped at any time, and its failures are one clear line."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from actors.runtime.commands import NoAnswerError
from effects.recovery.child import Running
from effects.recovery.process import ChildProcesses
from events.log import LogFullError, LogLostEndError, LogUnavailableError
from events.server import ServerUnusableError
from projections.database import AlreadyWrittenError, sqlite_path
from projections.reading import NotReadyError, Reading, projection_states
from projections.runner import Runner
from scenarios.demo.settings import DemoUnavailableError
from standfast.cli.terminal import fail, note, state_directory
from standfast.runtime import NotRunningError
from standfast.session import open_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator
    from pathlib import Path

    from events.log import Log
    from standfast.session import Session

T = TypeVar("T")

CATCH_UP_SECONDS = 3.0
LOOK_SECONDS = 0.05
EXIT_INTERRUPTED = 130
SPEAKING = (
    NotRunningError,
    NoAnswerError,
    LogUnavailableError,
    LogFullError,
    ServerUnusableError,
    AlreadyWrittenError,
    NotReadyError,
    DemoUnavailableError,
)
"""Errors whose messages are written for people."""


def run(work: Coroutine[None, None, T]) -> T:
    """Run a command's work to its end; what goes wrong ends the command with one line."""
    with speaking():
        return asyncio.run(_until_told(work))


async def _until_told(work: Coroutine[None, None, T]) -> T:
    """Let SIGTERM end the work as Ctrl-C does: what it opened is closed again."""
    task = asyncio.ensure_future(work)
    if threading.current_thread() is threading.main_thread():  # no other hears signals
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


@contextmanager
def speaking() -> Iterator[None]:
    """Turn errors that may happen into one line and an exit code."""
    try:
        yield
    except SPEAKING as error:
        fail(str(error))
    except LogLostEndError as error:
        fail(f"the log lost its end: {error}; `standfast verify` says what else")
    except NotFoundError:
        fail("the log has no streams yet; `standfast up` makes them")
    except (TimeoutError, NatsError) as error:
        fail(f"the log does not answer ({type(error).__name__}); `standfast doctor` says more")
    except OSError as error:
        fail(f"{error.filename or 'the system'}: {error.strerror or error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(EXIT_INTERRUPTED) from None


@asynccontextmanager
async def session(given: Path | None) -> AsyncIterator[Session]:
    """Open the log of a state directory, beside what runs or alone."""
    directory = state_directory(given)
    if not directory.root.is_dir():
        raise NotRunningError(
            f"there is no state directory {directory.root}; `standfast up` makes it"
        )
    async with open_session(directory) as opened:
        yield opened


@asynccontextmanager
async def readings(opened: Session) -> AsyncIterator[Reading]:
    """Give the projections at the log's end: the projector's, or brought there by this command."""
    situation = opened.situation
    children = ChildProcesses(situation.directory.processes)
    url = situation.projections_url
    reading = Reading(url)
    try:
        if not isinstance(children.look("projector"), Running):
            await _catch_up(opened.log, url, reading)
        await _wait_for_projector(opened.log, reading)
        yield reading
    finally:
        reading.close()


async def _catch_up(log: Log, url: str, reading: Reading) -> None:
    """Take in what is newer. Where the log lost its end, the projections are its only copy."""
    path = sqlite_path(url)
    if (path is None or path.exists()) and reached_by(reading) > await log.head_sequence():
        note("the log ends before the projections do: `standfast verify` says what is missing")
        return
    runner = Runner(log, url)
    try:
        await runner.open()
        await runner.catch_up()
    except AlreadyWrittenError:
        pass  # a projector that nobody recorded is at work
    finally:
        await runner.close()


async def _wait_for_projector(log: Log, reading: Reading) -> None:
    head = await log.head_sequence()
    until = asyncio.get_running_loop().time() + CATCH_UP_SECONDS
    while (reached := reached_by(reading)) < head:
        if asyncio.get_running_loop().time() > until:
            note(f"the projections are at {reached} of {head}: what is newest is not shown")
            return
        await asyncio.sleep(LOOK_SECONDS)


def reached_by(reading: Reading) -> int:
    """Give the sequence that all projections have reached."""
    try:
        with reading.moment() as connection:
            return min((one.sequence for one in projection_states(connection)), default=0)
    except NotReadyError:
        return 0
