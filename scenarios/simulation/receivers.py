"""Receivers of notices: they write down what they hear, whether or not their answer arrives."""

from __future__ import annotations

import asyncio
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from effects.contract import Failed, OverdueError, Result, Succeeded, Unknown
from scenarios.checker.records import Delivery
from scenarios.simulation.process import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from effects.contract import Guard
    from effects.notifiers.letter import Letter
    from effects.notifiers.settings import WebhookReceiver
    from scenarios.simulation.record import Record

Mood = Literal["well", "refuses", "is slow", "hears and is silent"]
MOODS: tuple[Mood, ...] = ("refuses", "is slow", "hears and is silent")
WAY_SECONDS = (0.002, 0.05)
SLOW_SECONDS = (2.0, 12.0)


@dataclass(slots=True)
class Receiver:
    """One receiver; its ledger is part of the record."""

    name: str
    record: Record
    mood: Mood = "well"

    def hear(
        self, letter: Letter, offset_seconds: float, answer: Callable[[int], None], seconds: float
    ) -> None:
        """Write a letter down, and answer after a while, if at all."""
        loop = asyncio.get_running_loop()
        if self.mood == "refuses":
            loop.call_later(seconds, answer, 503)
            return
        delivery = Delivery(
            receiver=self.name,
            key=letter.key,
            fence=letter.fence,
            subject=str(letter.story.alert),
            status=letter.status,
            time=BEGINNING + timedelta(seconds=loop.time() + offset_seconds),
        )
        self.record.delivered(delivery)
        if self.mood != "hears and is silent":
            loop.call_later(seconds, answer, 200)


class SimulatedWebhook:
    """Sends letters as the real webhook does; what is on its way outlives the executor."""

    def __init__(self, receivers: dict[str, Receiver], chance: Random) -> None:
        self._receivers, self._chance = receivers, chance
        self._world = Context()

    async def send(self, letter: Letter, settings: WebhookReceiver, guard: Guard) -> Result:
        """Send a letter once."""
        receiver = self._receivers[letter.receiver]
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._chance.uniform(*WAY_SECONDS))
        try:
            guard.check()
        except OverdueError:
            return Failed(f"the deadline passed before {letter.receiver} was connected")
        answered: asyncio.Future[int] = loop.create_future()

        def answer(status: int) -> None:
            if not answered.done():
                answered.set_result(status)

        span = SLOW_SECONDS if receiver.mood == "is slow" else WAY_SECONDS
        way, work = self._chance.uniform(*WAY_SECONDS), self._chance.uniform(*span)
        offset = receiver.record.clock.offset_seconds
        loop.call_later(way, receiver.hear, letter, offset, answer, work, context=self._world)
        try:
            async with asyncio.timeout(min(settings.timeout_seconds, guard.left_seconds)):
                status = await answered
        except TimeoutError:
            return Unknown(f"{letter.receiver} did not answer in time")
        said = f"{letter.receiver} answered {status}"
        return Succeeded(said) if status == 200 else Failed(said)  # noqa: PLR2004  (HTTP's OK)

    async def close(self) -> None:
        """There is nothing to let go of."""
