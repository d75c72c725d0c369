"""Background tasks of one process part: any error in one of them ends the whole."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from effects.ending import end_tasks

if TYPE_CHECKING:
    from collections.abc import Coroutine


@dataclass(slots=True)
class Crew:
    """Tasks that live and fail together."""

    _tasks: dict[asyncio.Task[Any], None] = field(default_factory=dict)
    _failed: asyncio.Event = field(default_factory=asyncio.Event)
    _error: BaseException | None = None

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task."""
        task = asyncio.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and task.exception() is not None and self._error is None:
            self._error = task.exception()
            self._failed.set()

    async def wait(self) -> None:
        """Wait until a task fails, and raise its error."""
        await self._failed.wait()
        assert self._error is not None
        raise self._error

    async def stop(self) -> None:
        """End all tasks."""
        await end_tasks(self._tasks)
