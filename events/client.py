"""The connection to a server: nats-py's client, with which a task can always be cancelled."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nats.aio.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nats.aio.msg import Msg

DEFAULT_FLUSH_SECONDS = 10


class CancellableClient(Client):
    """A client of which no wait swallows that its task was cancelled.

    nats-py waits with `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that
    comes at the moment of the answer: the task would go on for ever, and who ended it wait for it.
    """

    async def request(self, *arguments: Any, **options: Any) -> Msg:
        """Ask and wait for the answer, as nats-py does."""
        with _cancellation_kept():
            return await super().request(*arguments, **options)

    async def flush(self, timeout: int = DEFAULT_FLUSH_SECONDS) -> None:  # noqa: ASYNC109
        """Wait until the server has all that was sent, as nats-py does."""
        with _cancellation_kept():
            await super().flush(timeout)


@contextmanager
def _cancellation_kept() -> Iterator[None]:
    """Raise `CancelledError` after a wait in which the task was cancelled, however it ended."""
    task = asyncio.current_task()
    assert task is not None, "only a task waits"
    cancelled_before = task.cancelling()
    try:
        yield
    finally:
        if task.cancelling() > cancelled_before:
            raise asyncio.CancelledError
