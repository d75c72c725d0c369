"""Probers and evaluators of the tests: real ones, and hands that write and read telemetry."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from actors.runtime.commands import CommandClient
from evaluation.series import probe_rows, readings_of
from events.address import EntityAddress
from events.reader import Start
from events.service import TcpCheck
from events.telemetry_log import TelemetryReader, TelemetryWriter
from standfast.roles.evaluator import Evaluator, EvaluatorSettings
from tests.fixtures.service_host import vantage
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from nats.aio.client import Client

    from evaluation.series import Reading
    from events.base import Event
    from events.log import Log
    from events.telemetry import Batch
    from tests.fixtures.service_host import Services

QUICK = TcpCheck(
    name="tcp",
    port=1,
    interval_seconds=0.3,
    timeout_seconds=0.3,
    failure_threshold=3,
    success_threshold=2,
)


@asynccontextmanager
async def running(*coroutines: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run beside the test; that one of them ended by itself is an error."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome


def block(seconds: float) -> None:
    """Hold up the event loop."""
    time.sleep(seconds)


class Ledger:
    """All telemetry of a log, as it was read."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.readings: dict[str, list[Reading]] = {}
        self.reader: TelemetryReader | None = None

    def of(self, service: str) -> list[Reading]:
        return self.readings.get(service, [])

    async def follow(self, client: Client, filters: tuple[str, ...] = ("sft.probe.>",)) -> None:
        self.reader = TelemetryReader(client, filters, Start())
        async for stored in self.reader.batches():
            for one in stored:
                self.batches.append(one.batch)
                for service, _, reading in readings_of(one.batch, one.sequence):
                    self.readings.setdefault(service, []).append(reading)


@dataclass
class Seer:
    """Writes results as a prober would, each when it is told to."""

    writer: TelemetryWriter
    written: list[datetime] = field(default_factory=list)

    def see(
        self,
        service: str,
        succeeded: bool,
        *,
        lagged: bool = False,
        canary_failed: bool = False,
        check: str = "tcp",
    ) -> None:
        now = datetime.now(UTC)
        self.written.append(now)
        reason = "" if succeeded else f"failure {len(self.written)}"
        rows = probe_rows(service, check, now, succeeded=succeeded, seconds=0.1, reason=reason)
        self.writer.add(*rows, lagged=lagged, canary_failed=canary_failed)
        self.writer.flush()


def evaluator_of(log: Log, settling_seconds: float = 0.0) -> Evaluator:
    commands = CommandClient(log.client, principal="process:evaluator", source="/test")
    settings = EvaluatorSettings(settling_seconds=settling_seconds)
    return Evaluator(log, commands, vantage("evaluator"), settings)


def seer_of(log: Log) -> Seer:
    return Seer(TelemetryWriter(log.client, vantage("prober-1")))


@asynccontextmanager
async def evaluating(
    log: Log, settling_seconds: float = 0.0
) -> AsyncIterator[tuple[Evaluator, Seer]]:
    evaluator, seer = evaluator_of(log, settling_seconds), seer_of(log)
    async with running(evaluator.run()):
        await until(lambda: evaluator.watching.is_current)
        yield evaluator, seer
    await seer.writer.close()


@asynccontextmanager
async def seen_every(
    seconds: float,
    seer: Seer,
    service: str,
    *,
    succeeded: bool = True,
    lagged: bool = False,
    canary_failed: bool = False,
) -> AsyncIterator[None]:
    """Let a service be seen again and again."""

    async def see() -> None:
        while True:
            seer.see(service, succeeded, lagged=lagged, canary_failed=canary_failed)
            await asyncio.sleep(seconds)

    async with running(see()):
        yield


async def facts(services: Services, service: str) -> list[Event]:
    """Give the facts about one service, without its configuration."""
    commits = [one async for one in services.log.read_entity(EntityAddress("service", service))]
    return [envelope.event for commit in commits for envelope in commit.envelopes()][1:]


async def until_read_on(
    evaluator: Evaluator, seconds: float, timeout_seconds: float = 10.0
) -> None:
    """Wait until an evaluator has read so many more seconds of telemetry."""
    start = evaluator.watching.horizon
    assert start is not None

    def has_read_on() -> bool:
        now = evaluator.watching.horizon
        return now is not None and (now - start).total_seconds() > seconds

    await until(has_read_on, timeout_seconds)
