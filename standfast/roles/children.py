"""The children of services: started or adopted once, in the order of their needs.

A child that dies stays dead until a recovery that the log knows of starts it: never silently.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from actors.runtime.service_book import ServiceBook
from actors.service import Watched
from effects.contract import Failed
from effects.ending import end_tasks
from effects.recovery.actions import child_spec
from effects.recovery.child import ChildName, Refused, Running
from effects.recovery.process import ChildProcesses
from events.service import ServiceConfigured, ServiceRetired

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from actors.runtime.service_book import Change
    from events.log import Log
    from events.service import ServiceSettings

AT_ONCE_MAX = 4
LOG_LOOK_SECONDS = 30.0
_NAME: TypeAdapter[str] = TypeAdapter(ChildName)
_LOGGER = logging.getLogger(__name__)


class ServiceChildren:
    """Keeps what the log says is to run, and knows the newest settings of every service."""

    def __init__(self, log: Log, directory: Path) -> None:
        """Find the children by their records in a directory; nothing is touched before `run`."""
        self.processes = ChildProcesses(directory)
        self._book = ServiceBook(log)
        self._is_read = asyncio.Event()
        self._reapers: dict[tuple[str, int], asyncio.Task[None]] = {}

    async def settings_of(self, service: str) -> ServiceSettings | None:
        """Give the settings of a service that is watched, once the log has been read."""
        await self._is_read.wait()
        page = self._book.pages.get(service)
        return page.state.settings if page and isinstance(page.state, Watched) else None

    def watch(self, service: str) -> None:
        """Reap the child of a service when it ends, whoever started it."""
        look = self.processes.look(service)
        if isinstance(look, Running) and (service, look.pid) not in self._reapers:
            task = asyncio.create_task(self._reap(service))
            self._reapers[service, look.pid] = task
            task.add_done_callback(lambda _task: self._reapers.pop((service, look.pid), None))

    async def run(self) -> None:
        """Follow the services until cancelled; the children live on."""
        bounding = asyncio.create_task(self._bound_logs())
        try:
            await self._follow()
        finally:
            await end_tasks((bounding, *self._reapers.values()))

    async def stop_children(self) -> None:
        """Stop those that end with Standfast, first what nobody needs."""
        await self._is_read.wait()
        ending = {
            service: settings
            for service, settings in self._with_process().items()
            if settings.process is not None and settings.process.stop_with_standfast
        }
        for level in reversed(levels_of(self._needs())):
            await _some_at_once(self._stop, [one for one in level if one in ending])

    async def _follow(self) -> None:
        stream = self._book.changes()
        async with contextlib.aclosing(stream):
            async for changes in stream:
                if not self._is_read.is_set():
                    self._is_read.set()
                    await self._keep_all()
                for change in changes:
                    await self._take(change)

    async def _keep_all(self) -> None:
        """Stop what is not to run any more, then start what is, first what others need."""
        wanted = self._with_process()
        gone = [service for service in self._book.pages if service not in wanted]
        await _some_at_once(self._stop, gone)
        for level in levels_of(self._needs()):
            await _some_at_once(self._start, [one for one in level if one in wanted])

    async def _take(self, change: Change) -> None:
        match change.event:
            case ServiceConfigured(settings=settings) if settings.process is None:
                await self._stop(change.service)
            case ServiceConfigured() if not _had_process(change):
                await self._start(change.service)
            case ServiceRetired():
                await self._stop(change.service)
            case _:
                pass

    def _with_process(self) -> dict[str, ServiceSettings]:
        return {
            service: state.settings
            for service, state in self._book.watched().items()
            if state.settings.process is not None
        }

    def _needs(self) -> dict[str, tuple[str, ...]]:
        watched = self._book.watched()
        return {service: state.settings.depends_on for service, state in watched.items()}

    async def _start(self, service: str) -> None:
        settings = self._with_process().get(service)
        if settings is None or settings.process is None:
            return
        spec = child_spec(service, settings.process)
        outcome = spec if isinstance(spec, Failed) else await self.processes.start(spec)
        if isinstance(outcome, Failed | Refused):
            _LOGGER.error("%s: %s", service, outcome.reason)
            return
        how = "adopted" if outcome.is_adopted else "started"
        _LOGGER.info("%s: %s as process %d", service, how, outcome.pid)
        self.watch(service)

    async def _stop(self, service: str) -> None:
        if not _is_child_name(service):
            return
        if not isinstance(self.processes.look(service), Running):
            return
        outcome = await self.processes.stop(service)
        if isinstance(outcome, Refused):
            _LOGGER.error("%s: %s", service, outcome.reason)
        else:
            _LOGGER.info("%s: stopped", service)

    async def _reap(self, service: str) -> None:
        ended = await self.processes.wait_exit(service)
        _LOGGER.info("%s: its process has ended: %r", service, ended)

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(LOG_LOOK_SECONDS)
            for service, settings in self._with_process().items():
                assert settings.process is not None, "only such are given"
                spec = child_spec(service, settings.process)
                if not isinstance(spec, Failed):
                    await asyncio.to_thread(self.processes.bound_log, spec)


def levels_of(needs: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Sort services into levels: each needs only services of earlier ones. Cycles come last."""
    sorter = TopologicalSorter(needs)
    with contextlib.suppress(CycleError):
        sorter.prepare()
    levels: list[list[str]] = []
    while ready := sorted(sorter.get_ready()):
        levels.append(ready)
        sorter.done(*ready)
    placed = {service for level in levels for service in level}
    left = sorted(set(needs) - placed)
    return [*levels, left] if left else levels


def _had_process(change: Change) -> bool:
    before = change.before
    return isinstance(before, Watched) and before.settings.process is not None


def _is_child_name(service: str) -> bool:
    try:
        _NAME.validate_python(service)
    except ValidationError:
        return False
    return True


async def _some_at_once(act: Callable[[str], Awaitable[None]], services: Iterable[str]) -> None:
    places = asyncio.Semaphore(AT_ONCE_MAX)

    async def act_in_turn(service: str) -> None:
        async with places:
            await act(service)

    await asyncio.gather(*(act_in_turn(service) for service in services))
