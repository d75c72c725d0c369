"""The projector: the one process that writes projections, and says how far it has come."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgpack
from nats.errors import Error as NatsError

from events.subjects import PROJECTED_SUBJECT, control_subject
from projections.catalogue import PROJECTIONS
from projections.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg

    from events.base import Position
    from events.log import Log
    from projections.base import Projection

REBUILD_SUBJECT = control_subject("projector", "rebuild")
PROGRESS_SECONDS = 0.2
ALL = "all"
_LOGGER = logging.getLogger(__name__)


def encode_position(position: Position) -> bytes:
    """Give the bytes that tell readers how far the projections are."""
    return bytes(msgpack.packb((position.log_id, position.generation, position.sequence)))


class Projector:
    """Keeps the projections of a log in the database of a URL until cancelled."""

    def __init__(self, log: Log, url: str, projections: Sequence[Projection] = PROJECTIONS) -> None:
        """Prepare; nothing is touched before `run`."""
        self._log = log
        self._runner = Runner(log, url, projections)
        self._names = tuple(projection.name for projection in projections)
        self._rebuilding = asyncio.Lock()
        self._requests: set[asyncio.Task[None]] = set()
        self.is_open = False

    @property
    def sequence(self) -> int:
        """The sequence that the projections have reached."""
        return self._runner.sequence

    async def head_sequence(self) -> int:
        """Give the last sequence of the log, as its leader knows it."""
        return await self._log.head_sequence()

    async def touch(self) -> None:
        """Write into the database, for proof that it takes it; not while it is built anew."""
        if self.is_open:
            await self._runner.touch()

    async def run(self) -> None:
        """Follow the log. Raises `AlreadyWrittenError` where another process writes the rows."""
        await self._runner.open()
        self.is_open = True
        requests = await self._log.client.subscribe(REBUILD_SUBJECT, cb=self._requested)
        try:
            await self._publish(self._log.position(self._runner.sequence))
            await self._runner.run(self._publish)
        finally:
            with suppress(NatsError, TimeoutError, OSError):
                await requests.unsubscribe()
            for task in list(self._requests):
                task.cancel()
            await asyncio.gather(*self._requests, return_exceptions=True)
            await self._runner.close()

    async def _publish(self, position: Position) -> None:
        """Tell whoever listens. It is a hint: readers look for themselves now and then."""
        with suppress(NatsError, TimeoutError, OSError):
            await self._log.client.publish(PROJECTED_SUBJECT, encode_position(position))

    async def _requested(self, message: Msg) -> None:
        task = asyncio.create_task(self._rebuild(message))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _rebuild(self, message: Msg) -> None:
        """Build one projection (or all) anew, telling how far it is, then how it ended."""
        name = _name_in(message.data)
        if name != ALL and name not in self._names:
            known = ", ".join((*self._names, ALL))
            await _reply(message, {"error": f"no projection {name[:60]!r}; there are {known}"})
        elif self._rebuilding.locked():
            await _reply(message, {"error": "a rebuild is under way; wait for its end"})
        else:
            async with self._rebuilding:
                await self._rebuild_named(message, self._names if name == ALL else (name,))

    async def _rebuild_named(self, message: Msg, names: Sequence[str]) -> None:
        told = _Progress(message)
        try:
            position = await self._runner.rebuild(names, told.tell)
        except Exception as error:
            _LOGGER.exception("the rebuild of %s failed", ", ".join(names))
            await _reply(message, {"error": f"the rebuild failed: {error}"})
        else:
            await _reply(message, {"done": True, "sequence": position.sequence})
            await self._publish(position)


class _Progress:
    """Says how far a rebuild is, a few times a second at most."""

    def __init__(self, message: Msg) -> None:
        self._message = message
        self._next = 0.0

    async def tell(self, sequence: int, until: int) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next:
            self._next = now + PROGRESS_SECONDS
            await _reply(self._message, {"sequence": sequence, "until": until})


async def _reply(message: Msg, content: dict[str, Any]) -> None:
    if message.reply:
        with suppress(NatsError, TimeoutError, OSError):
            await message.respond(bytes(msgpack.packb(content)))


def _name_in(payload: bytes) -> str:
    try:
        content = msgpack.unpackb(payload)
    except (ValueError, msgpack.UnpackException):
        return ""
    name = content.get("name", "") if isinstance(content, dict) else ""
    return name if isinstance(name, str) else ""
