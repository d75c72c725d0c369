"""A thread of one's own for work that may hang: what is asked for is done in order.

A pool that many share would be used up by a disk that hangs, and names are resolved there, too.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class BusyError(Exception):
    """So much waits for the thread already that nothing more is taken on."""


class OwnThread:
    """One thread, begun with its first work. The end of its process does not wait for it."""

    def __init__(self, name: str, waiting_max: int) -> None:
        """Prepare; `waiting_max` is how much may wait while something is done."""
        self._work: Queue[tuple[Future[Any], Callable[[], Any]] | None] = Queue(waiting_max)
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def begin(self, work: Callable[[], T]) -> Future[T]:
        """Have work done, after all that was asked for before. Raises `BusyError`."""
        future: Future[T] = Future()
        try:
            self._work.put_nowait((future, work))
        except Full:
            raise BusyError from None
        if self._thread.ident is None:
            self._thread.start()
        return future

    async def do(self, work: Callable[[], T], seconds_max: float) -> T:
        """Have work done and give what it gives; raises what it raises, or `BusyError`.

        Raises `TimeoutError` where that takes longer; it goes on all the same.
        """
        future = self.begin(work)
        ended = asyncio.wrap_future(future)
        ended.add_done_callback(_hear)
        await asyncio.wait({ended}, timeout=seconds_max)
        if not future.done():
            raise TimeoutError
        return future.result()

    def close(self) -> None:
        """End the thread when all is done that was asked for."""
        with suppress(Full):
            self._work.put_nowait(None)

    def _run(self) -> None:
        while (asked := self._work.get()) is not None:
            future, work = asked
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001  (who waits for it hears of it)
                future.set_exception(error)
            else:
                future.set_result(result)
            del asked, future, work


def _hear(ended: asyncio.Future[Any]) -> None:
    """Take notice of how it ended: who asked may have gone on without it."""
    if not ended.cancelled():
        ended.exception()
