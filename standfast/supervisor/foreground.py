"""The supervisor in the foreground: signals end it in order, or put an edited file in force."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.runtime.commands import NoAnswerError
from effects.ending import end_tasks
from events.log import LogFullError, LogUnavailableError
from standfast.config.apply import NotAppliedError
from standfast.config.load import InvalidConfigurationError, load_file
from standfast.supervisor.hosts import HostsFailedError
from standfast.supervisor.readiness import NotReadyError, wait_until_ready
from standfast.supervisor.supervisor import StartFailedError

if TYPE_CHECKING:
    from pathlib import Path

    from standfast.supervisor.supervisor import Supervisor

EXPECTED = (
    StartFailedError,
    HostsFailedError,
    NotAppliedError,
    NoAnswerError,
    LogUnavailableError,
    LogFullError,
)
"""What may go wrong, with messages that are meant for people."""


@dataclass(slots=True)
class Foreground:
    """Runs a supervisor until SIGTERM or SIGINT; SIGHUP reads its file again."""

    supervisor: Supervisor
    config: Path | None
    _told: asyncio.Event = field(default_factory=asyncio.Event)
    _edited: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> int:
        """Start, stay, and end everything; gives the exit code. Raises one of `EXPECTED`."""
        self._listen()
        work = [asyncio.create_task(self._serve()), asyncio.create_task(self._told.wait())]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            if work[0].done():
                work[0].result()
        finally:
            self.supervisor.said("stopping")
            await end_tasks(work)
            await self.supervisor.stop()
        return 0

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told.set)
        loop.add_signal_handler(signal.SIGHUP, self._edited.set)

    async def _serve(self) -> None:
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
                facts = await self.supervisor.reload(load_file(self.config))
                self.supervisor.said(f"{self.config} is in force ({facts} changes)")
            except (InvalidConfigurationError, *EXPECTED) as error:
                self.supervisor.said(f"not reloaded: {error}")
