"""The executor's process: the executor, the children of services, and the effects they share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nats.errors import Error as NatsError

from actors.runtime.executor.executor import Executor
from effects.ending import end_tasks
from effects.journal import Journal
from effects.notifiers.notify import Notify
from effects.recovery.actions import RestartProcess, StartProcess, StopProcess
from effects.recovery.command import RunCommand
from events.subjects import STOP_CHILDREN_SUBJECT
from standfast.roles.children import ServiceChildren

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nats.aio.msg import Msg

    from actors.runtime.commands import CommandClient
    from effects.contract import Effect
    from effects.notifiers.notify import Receiver
    from events.log import Log

NAME = "executor"
STOPPED = b"stopped"
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """What an executor is told: directories of its own, and whom it can tell."""

    journal: Path
    children: Path
    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    external_url: str = ""
    name: str = NAME


class ExecutorProcess:
    """Carries out effects and keeps the children of services, until cancelled."""

    def __init__(self, log: Log, commands: CommandClient, settings: ExecutorSettings) -> None:
        """Prepare within a running event loop. Raises `JournalInUseError`."""
        self._client = log.client
        self.children = ServiceChildren(log, settings.children)
        self._notify = Notify(log, settings.receivers, settings.external_url)
        self._journal = Journal(settings.journal)
        self.executor = Executor(
            settings.name,
            log.client,
            commands,
            self._effects(),
            self._journal,
            log=log.identity,
        )
        self._stopping: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Work until cancelled; the children live on."""
        requests = await self._client.subscribe(STOP_CHILDREN_SUBJECT, cb=self._asked_to_stop)
        parts = (
            asyncio.create_task(self.executor.run()),
            asyncio.create_task(self.children.run()),
        )
        try:
            ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in ended:
                part.result()
        finally:
            await self.executor.finish()
            await end_tasks(parts)
            with contextlib.suppress(NatsError, TimeoutError, OSError):
                await requests.unsubscribe()
            await self._notify.close()
            self._journal.close()

    async def stop_children(self) -> None:
        """Carry out nothing more, and stop the children that end with Standfast."""
        await self.executor.finish()
        await self.children.stop_children()

    async def _asked_to_stop(self, message: Msg) -> None:
        if self._stopping is None:
            self._stopping = asyncio.create_task(self.stop_children())
        await asyncio.wait([self._stopping])
        if (error := self._stopping.exception()) is not None:
            _LOGGER.error("the children could not be stopped", exc_info=error)
            return
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            await message.respond(STOPPED)

    def _effects(self) -> dict[str, Effect[Any]]:
        shared = (self.children.processes, self.children.settings_of, self.children.watch)
        return {
            "notify": self._notify,
            "process.start": StartProcess(*shared),
            "process.stop": StopProcess(*shared),
            "process.restart": RestartProcess(*shared),
            "command.run": RunCommand(self.children.settings_of),
        }
