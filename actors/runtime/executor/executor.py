"""The executor: it takes errands on, carries each out once and in time, and reports every end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import msgpack
from nats.errors import Error as NatsError

from actors.runtime.executor.carrying import carry_out, find_out
from actors.runtime.executor.reports import (
    ProgressReports,
    report_of,
    report_until_answered,
)
from actors.runtime.handing import decode_errand
from effects.clock import SystemClock
from effects.contract import Assignment, Guard, Result
from effects.ending import end_tasks
from events.subjects import executor_subject

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from actors.runtime.commands import CommandClient
    from actors.runtime.handing import Errand
    from effects.contract import Effect
    from effects.journal import Journal
    from effects.ports import Clock
    from events.identity import LogIdentity

AT_ONCE_MAX = 32
OPEN_MAX = 4096
STOP_SECONDS = 3.0
FORGET_SECONDS = 60.0
ACCEPTED, TOO_LATE = b"accepted", b"too late"
NOT_WISHED = "the log was restored, and does not hold this wish any more"
_NOT_AN_ERRAND = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    msgpack.UnpackException,
)
_UNCERTAIN = (NatsError, TimeoutError, OSError)
_LOGGER = logging.getLogger(__name__)


class Executor:
    """Carries out the errands handed to one name. Two of one name must share no machine's journal.

    An errand is on disk before it is answered. What cannot be taken on is not answered: the host
    asks again.
    """

    def __init__(
        self,
        name: str,
        client: Client,
        commands: CommandClient,
        effects: Mapping[str, Effect[Any]],
        journal: Journal,
        *,
        log: LogIdentity,
        clock: Clock | None = None,
    ) -> None:
        """Prepare within a running event loop; nothing is touched before `run`.

        Only what was wished in the present life of the `log` is carried out and reported.
        """
        self._subject = executor_subject(name)
        self._client = client
        self._commands = commands
        self._effects = effects
        self._journal = journal
        self._clock = clock or SystemClock()
        self._log = log
        self._guards: dict[str, Guard] = {}
        self._not_queued: set[str] = set()
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._open: set[str] = set()
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._is_finishing = False
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def open_count(self) -> int:
        """How many errands are taken on and not reported yet."""
        return len(self._open)

    async def run(self) -> None:
        """Work until cancelled. What is under way then has a moment to come to its end."""
        self._take_up()
        own = [asyncio.create_task(self._work()) for _ in range(AT_ONCE_MAX)]
        own.append(asyncio.create_task(self._forget()))
        subscription = await self._client.subscribe(self._subject, cb=self._received)
        try:
            await asyncio.wait((*own, self._broken), return_when=asyncio.FIRST_COMPLETED)
            for ended in (*own, self._broken):
                if ended.done():
                    ended.result()
        finally:
            await self.finish()
            with contextlib.suppress(*_UNCERTAIN):
                await subscription.unsubscribe()
            await end_tasks((*own, *self._tasks))

    async def finish(self) -> None:
        """Take on and begin nothing more, and give what is under way a moment to be reported."""
        self._is_finishing = True
        while not self._queue.empty():
            self._queue.get_nowait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while self._tasks:
                    await asyncio.wait(self._tasks)

    # --- taking on -----------------------------------------------------------------------

    async def _received(self, message: Msg) -> None:
        if not self._is_finishing:
            self._spawn(self._take_on(message))

    async def _take_on(self, message: Msg) -> None:
        """Take an errand on, unless it is known, and answer once it is on disk."""
        try:
            errand = decode_errand(message.data)
        except _NOT_AN_ERRAND as error:
            _LOGGER.error("not an errand: %s", error)  # noqa: TRY400  (it is not ours)
            return
        if not errand.is_of(self._log):
            return  # its host has not heard yet that the log was restored
        key = errand.key
        if key not in self._journal.entries and not self._is_acceptable(errand):
            if self.is_overdue(errand):
                await _answer(message, TOO_LATE)
            return
        self._note(key, errand, message.data)
        try:
            await self._journal.sync()
        except OSError:
            _LOGGER.exception("the journal can't be written; %s is not taken on", key)
            return
        await _answer(message, ACCEPTED)
        if key in self._not_queued and not self._is_finishing:
            self._not_queued.discard(key)
            self._queue.put_nowait(key)

    def _note(self, key: str, errand: Errand, payload: bytes) -> None:
        entry = self._journal.entries.get(key)
        if entry is None:
            self._journal.accept(key, payload, errand.intent.deadline)
            self._guards[key] = Guard(self._clock, errand.intent.deadline)
            self._not_queued.add(key)
            self._open.add(key)
        if errand.cancelled and (entry is None or not entry.cancelled):
            self._journal.cancel(key)
            if key in self._guards:
                self._guards[key].cancel()

    def is_overdue(self, errand: Errand) -> bool:
        """Say whether an errand comes too late to be begun."""
        return self._clock.now() >= errand.intent.deadline

    def _is_acceptable(self, errand: Errand) -> bool:
        return not self.is_overdue(errand) and self.open_count < OPEN_MAX

    def _take_up(self) -> None:
        """Go on where an earlier life ended: each entry without a reported end needs one."""
        for key, entry in self._journal.entries.items():
            if entry.reported is not None:
                continue
            if not decode_errand(entry.payload).is_of(self._log):
                _LOGGER.warning("%s was wished in a life of the log that was given up", key)
                self._journal.report(key, NOT_WISHED)
            else:
                guard = self._guards[key] = Guard(self._clock, entry.deadline)
                if entry.cancelled:
                    guard.cancel()
                self._open.add(key)
                self._queue.put_nowait(key)

    # --- carrying out --------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            await asyncio.wait([self._spawn(self._bring_to_its_end(key))])

    async def _bring_to_its_end(self, key: str) -> None:
        entry = self._journal.entries[key]
        errand = decode_errand(entry.payload)
        if entry.result is None:
            start = self._clock.monotonic_seconds()
            result = await self._result_of(key, errand)
            took_seconds = self._clock.monotonic_seconds() - start
            self._journal.end(key, result, took_seconds)
            await self._sync()
        del self._guards[key]
        self._spawn(self._report(key, errand))

    async def _result_of(self, key: str, errand: Errand) -> Result:
        assignment = Assignment(errand.entity, errand.intent, errand.fence)
        began = self._journal.entries[key].began
        if began is not None:
            return await find_out(self._effects, assignment, began)

        async def begin() -> None:
            self._journal.begin(key, self._clock.now())
            await self._journal.sync()

        progress = ProgressReports(self._commands, errand, self._clock)
        result = await carry_out(self._effects, assignment, self._guards[key], progress, begin)
        await progress.finish()
        return result

    async def _report(self, key: str, errand: Errand) -> None:
        """Report an end until it is answered. A declined one came too late: the log has its own."""
        entry = self._journal.entries[key]
        assert entry.result is not None, "only ends are reported"
        report = report_of(errand, entry.result, entry.took_seconds)
        answer = await report_until_answered(self._commands, errand, report)
        if not answer.accepted:
            _LOGGER.warning("%s: %s: %s", key, answer.outcome, answer.message)
        self._journal.report(key, f"{answer.outcome}: {answer.message}"[:200])
        self._open.discard(key)
        await self._sync()

    # --- keeping house -------------------------------------------------------------------

    async def _sync(self) -> None:
        """Write what was noted; a disk that refuses is tried again with the next note."""
        try:
            await self._journal.sync()
        except OSError:
            _LOGGER.exception("the journal can't be written")

    async def _forget(self) -> None:
        while True:
            self._journal.forget(self._clock.now())
            await self._sync()
            await asyncio.sleep(FORGET_SECONDS)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        """Let an error that is ours end the executor: its next life goes on from the journal."""
        self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._broken.done():
            self._broken.set_exception(error)


async def _answer(message: Msg, answer: bytes) -> None:
    with contextlib.suppress(*_UNCERTAIN):
        await message.respond(answer)
