"""An event loop in which time jumps: when nothing is to be done now, it is the next moment."""

from __future__ import annotations

import asyncio
import heapq
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from events.surroundings import SURROUNDINGS
from scenarios.simulation.process import Process

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from contextvars import Context


class NothingLeftError(RuntimeError):
    """Nobody waits for any moment: what is waited for will never come."""


class _Handle(asyncio.TimerHandle):
    """Something to be done at a moment, made in a hurry: nobody debugs this loop."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: VirtualLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._callback, self._args, self._loop = callback, args, loop
        self._cancelled = self._scheduled = False
        self._repr = self._source_traceback = None

    def cancel(self) -> None:
        """Leave it undone."""
        self._cancelled = True
        self._callback = self._args = None  # type: ignore[assignment]  # as the base class does


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs everything in one order that depends on nothing but what is asked of it.

    What belongs to a process that is paused or killed is held by that process. Work for threads
    is done at once. There are no sockets.
    """

    _ready: deque[asyncio.Handle]

    def __init__(self) -> None:
        super().__init__()
        self._moment = 0.0
        self._number = 0
        self._moments: list[tuple[float, int, _Handle]] = []

    def time(self) -> float:
        """Give the seconds since the beginning."""
        return self._moment

    def call_soon(  # type: ignore[override]  # the types of arguments are not followed
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call at this moment, after all that is asked for already."""
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call at a later moment."""
        handle = _Handle(callback, args, self, context)
        self._number += 1
        heapq.heappush(self._moments, (when, self._number, handle))
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call after a while."""
        return self.call_at(self._moment + delay, callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do it at once: a thread would bring another order with it."""
        del executor
        future: asyncio.Future[Any] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  (it is the caller's)
            future.set_exception(error)
        return future

    def hold_back(self, handles: list[asyncio.Handle]) -> None:
        """Do now what was held."""
        self._ready.extend(handles)

    def _run_once(self) -> None:
        ready = self._ready
        if not ready:
            self._jump()
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:  # noqa: SLF001  (as the base class does)
                continue
            around = handle._context.get(SURROUNDINGS)  # type: ignore[attr-defined]  # noqa: SLF001
            if around is not None and isinstance(around, Process) and not around.runs:
                around.held.append(handle)
            else:
                try:
                    handle._context.run(handle._callback, *handle._args)  # type: ignore[attr-defined]  # noqa: SLF001
                except Exception as error:  # noqa: BLE001  (as the base class does)
                    self.call_exception_handler({"message": "a callback", "exception": error})

    def _jump(self) -> None:
        """Let it be the next moment at which something is to be done."""
        moments = self._moments
        while moments and moments[0][2].cancelled():
            heapq.heappop(moments)
        if not moments:
            if self._stopping:  # type: ignore[attr-defined]  # of the base class
                return
            raise NothingLeftError
        self._moment = max(self._moment, moments[0][0])
        while moments and moments[0][0] <= self._moment:
            self._ready.append(heapq.heappop(moments)[2])

    def _write_to_self(self) -> None:
        """Nobody sleeps here who could be woken."""
