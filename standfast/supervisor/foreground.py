"""The supervisor in the foreground: signals end it in order, or put an edited file in force."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from actors.runtime.commands import NoAnswerError
from effects.ending import end_tasks
from effects.secrets import SecretUnavailableError
from events.log import LogFullError, LogLostEndError, LogUnavailableError
from standfast.config.apply import NotAppliedError
from standfast.config.load import InvalidConfigurationError, load_file
from standfast.doctor.words import translated
from standfast.supervisor.hosts import HostsFailedError
from standfast.supervisor.keeping import StartFailedError
from standfast.supervisor.readiness import NotReadyError, wait_until_ready
from standfast.supervisor.succession import become_successor, hear_signals, successor_trouble
from standfast.upgrade_account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from standfast.supervisor.supervisor import Supervisor

EXPECTED = (
    StartFailedError,
    HostsFailedError,
    NotAppliedError,
    NoAnswerError,
    SecretUnavailableError,
    LogUnavailableError,
    LogLostEndError,
    LogFullError,
)
"""What may go wrong, with messages that are meant for people."""
_FOREIGN = (NatsError, OSError, TimeoutError)
"""What else may, in the words of others."""


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Say what others say as what it means. Raises one of `EXPECTED`."""
    try:
        yield
    except EXPECTED:
        raise
    except _FOREIGN as error:
        raise StartFailedError(translated(f"{type(error).__name__}: {error}")) from error


@dataclass(slots=True)
class Foreground:
    """Runs a supervisor until SIGTERM or SIGINT; SIGHUP reads its file again.

    SIGUSR2 has it replaced by the code that is installed now, which goes on where it was.
    """

    supervisor: Supervisor
    config: Path | None
    _told: asyncio.Event = field(default_factory=asyncio.Event)
    _edited: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> int:
        """Start, stay, and end everything; gives the exit code. Raises one of `EXPECTED`."""
        self._listen()
        serving = asyncio.create_task(self._serve())
        replacing = asyncio.create_task(self._wait_for_successor())
        work = [serving, replacing, asyncio.create_task(self._told.wait())]
        leaves = False
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            leaves = replacing.done()
            if serving.done():
                leaves = self.supervisor.is_successor  # what it found running goes on without it
                serving.result()
        finally:
            await end_tasks(work)
            if leaves:
                await self.supervisor.leave()
            else:
                self.supervisor.said("stopping")
                await self.supervisor.stop()
        if not replacing.cancelled():
            replacing.result()
            become_successor()
        return 0

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told.set)
        loop.add_signal_handler(signal.SIGHUP, self._edited.set)
        loop.add_signal_handler(signal.SIGUSR2, self._asked.set)
        hear_signals()

    async def _wait_for_successor(self) -> None:
        """Wait until what is installed is to take over, and is fit for it."""
        directory = self.supervisor.directory
        while True:
            await self._asked.wait()
            self._asked.clear()
            if self.supervisor.is_upgrading:
                continue
            if not (trouble := await successor_trouble(self.config)):
                return
            self.supervisor.said(f"not upgraded: {trouble}")
            Account(state="refused", reason=trouble).write(directory)

    async def _serve(self) -> None:
        with _in_our_words():
            await self.supervisor.start()
        reading = asyncio.create_task(self._read_again())
        try:
            await self._say_when_ready()
            await reading
        finally:
            await end_tasks([reading])

    async def _say_when_ready(self) -> None:
        configuration = self.supervisor.loaded.configuration
        try:
            await wait_until_ready(configuration)
        except NotReadyError as error:
            self.supervisor.said(f"not ready yet: {error}")
        else:
            self.supervisor.said(f"ready: {configuration.web.url}")
            if self.supervisor.is_demo:
                self.supervisor.said("try: standfast demo break database")

    async def _read_again(self) -> None:
        """Put each edit of the file in force, one at a time; a bad one changes nothing."""
        while True:
            await self._edited.wait()
            self._edited.clear()
            if self.config is None:
                self.supervisor.said("the demo has no file to read again")
                continue
            try:
                with _in_our_words():
                    facts = await self.supervisor.reload(load_file(self.config))
                self.supervisor.said(f"{self.config} is in force ({facts} changes)")
            except (InvalidConfigurationError, *EXPECTED) as error:
                self.supervisor.said(f"not reloaded: {error}")
