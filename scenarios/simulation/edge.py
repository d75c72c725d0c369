"""The edge: what probes would conclude of the world, reported by the real reporter."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from actors.runtime.reporter import Reporter
from actors.runtime.service_book import ServiceBook
from evaluation.thresholds import Conclusion
from events.surroundings import now
from scenarios.simulation.commands import RecordedCommands

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from evaluation.thresholds import Verdict
    from events.log import Log
    from scenarios.simulation.record import Record
    from scenarios.simulation.world import World

SWEEP_SECONDS = 60.0
NOTICE_SECONDS = (1.0, 15.0)


@dataclass(slots=True)
class Seen:
    """What is concluded of a service, since when, and from which sample on."""

    verdict: Verdict
    since: datetime
    number: int


@dataclass(slots=True)
class Conclusions:
    """Stands in for the samples: each change of the world is seen after its thresholds."""

    world: World
    is_blind: bool = False
    _seen: dict[str, Seen] = field(default_factory=dict)
    _samples: int = 0

    @property
    def horizon(self) -> datetime:
        """Up to when all is seen: up to now."""
        return now()

    def verdict(self, service: str) -> Verdict | None:
        """Give the verdict on a service."""
        return "no data" if self.is_blind else self._of(service).verdict

    def conclude(self, service: str) -> Conclusion | None:
        """Give the verdict with what it rests on."""
        seen = self._of(service)
        verdict: Verdict = "no data" if self.is_blind else seen.verdict
        reason = "" if verdict == "healthy" else f"{service} does not answer"
        return Conclusion(
            verdict=verdict,
            since=seen.since,
            observed=self.horizon,
            check="port",
            reason=reason,
            first=seen.number,
            last=self._samples,
            recent=(),
        )

    def see(self, service: str) -> bool:
        """Look at a service; gives whether anything is new."""
        verdict: Verdict = "healthy" if self.world.is_healthy(service) else "down"
        if verdict == self._of(service).verdict:
            return False
        self._samples += 1
        self._seen[service] = Seen(verdict, now(), self._samples)
        return True

    def _of(self, service: str) -> Seen:
        known = self._seen.get(service)
        if known is None:
            self._samples += 1
            verdict: Verdict = "healthy" if self.world.is_healthy(service) else "down"
            known = self._seen[service] = Seen(verdict, now(), self._samples)
        return known


class Edge:
    """The evaluator's process: the real reporter and the real service book over conclusions."""

    def __init__(self, log: Log, world: World, chance: Random, record: Record) -> None:
        self._log, self._world, self._chance = log, world, chance
        self._loop = asyncio.get_running_loop()
        self.conclusions = Conclusions(world)
        self.book = ServiceBook(log)
        commands = RecordedCommands(log.client, "process:evaluator", record)
        watching = cast("Any", self.conclusions)
        self.reporter = Reporter(commands, log.identity, self.book, watching)

    async def run(self) -> None:
        """Report until cancelled."""
        self._world.changed.append(self._noticing())
        await asyncio.gather(self._follow(), self._sweep())

    def _noticing(self) -> Callable[[str], None]:
        context = copy_context()

        def changed(service: str) -> None:
            seconds = self._chance.uniform(*NOTICE_SECONDS)
            self._loop.call_later(seconds, self._look, service, context=context)

        return changed

    def _look(self, service: str) -> None:
        if self.conclusions.see(service):
            self.reporter.consider(service)

    async def _follow(self) -> None:
        async for changes in self.book.changes():
            for change in changes:
                self.reporter.consider(change.service)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for service in self._world.services:
                self.conclusions.see(service)
                self.reporter.consider(service)
