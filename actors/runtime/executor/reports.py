"""Reports from the executor: ends until they are answered, progress at most once a second."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from actors.intents import ReportEffect, ReportProgress
from actors.runtime.commands import NoAnswerError
from effects.contract import Cancelled, Failed, Result, Succeeded, Unknown

if TYPE_CHECKING:
    from actors.runtime.commands import Answer, CommandClient
    from actors.runtime.handing import Errand
    from effects.ports import Clock

PROGRESS_SECONDS = 1.0
PROGRESS_PATIENCE_SECONDS = 2.0
RETRY_SECONDS = 0.5
DETAIL_CHARACTERS_MAX = 500


def report_of(errand: Errand, result: Result, took_seconds: float) -> ReportEffect:
    """Give the command that tells the entity how its effect ended."""
    number = errand.intent.number
    took_seconds = max(0.0, took_seconds)
    match result:
        case Succeeded(detail=detail):
            return ReportEffect(
                number=number, outcome="succeeded", detail=_cut(detail), took_seconds=took_seconds
            )
        case Failed(reason=reason, permanent=permanent, undone=undone):
            return ReportEffect(
                number=number,
                outcome="failed",
                detail=_cut(reason),
                permanent=permanent,
                undone=undone,
                took_seconds=took_seconds,
            )
        case Cancelled(reason=reason, undone=undone):
            return ReportEffect(
                number=number, outcome="cancelled", detail=_cut(reason), undone=undone
            )
        case Unknown(reason=reason):
            return ReportEffect(number=number, outcome="unknown", detail=_cut(reason))


async def report_until_answered(
    commands: CommandClient, errand: Errand, report: ReportEffect
) -> Answer:
    """Report an end again and again until the entity's owner has answered."""
    while True:
        try:
            return await commands.send(
                errand.entity,
                report,
                command_id=errand.key,
                causation_id=errand.cause_id,
                correlation_id=errand.correlation_id,
            )
        except (NoAnswerError, NatsError, TimeoutError, OSError):
            await asyncio.sleep(RETRY_SECONDS)


class ProgressReports:
    """The progress of one errand; what comes too soon after the last is left out."""

    def __init__(self, commands: CommandClient, errand: Errand, clock: Clock) -> None:
        self._commands, self._errand, self._clock = commands, errand, clock
        self._next_seconds = 0.0
        self._sending: set[asyncio.Task[None]] = set()

    def __call__(self, step: str, fraction: float | None = None) -> None:
        """Report a step, without waiting for an answer."""
        now = self._clock.monotonic_seconds()
        if now < self._next_seconds:
            return
        self._next_seconds = now + PROGRESS_SECONDS
        report = ReportProgress(
            number=self._errand.intent.number, step=_cut(step), fraction=fraction
        )
        task = asyncio.create_task(self._send(report))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def finish(self) -> None:
        """Wait until what was sent is answered, so that no step is told after the end."""
        if self._sending:
            await asyncio.wait(self._sending)

    async def _send(self, report: ReportProgress) -> None:
        with contextlib.suppress(NoAnswerError, NatsError, TimeoutError, OSError):
            await self._commands.send(
                self._errand.entity,
                report,
                causation_id=self._errand.cause_id,
                correlation_id=self._errand.correlation_id,
                patience_seconds=PROGRESS_PATIENCE_SECONDS,
            )


def _cut(text: str) -> str:
    return text[:DETAIL_CHARACTERS_MAX]
