"""A log and hosts in processes of their own, commands that flow, and what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from actors.runtime.commands import CommandClient
from actors.service import RequestProbe
from events.address import EntityAddress
from events.server import ServerAddress, connect
from scenarios.checker.collect import RunHeading, collect
from scenarios.checker.run import check_run
from scenarios.faults.kept import Kept
from scenarios.faults.lines import read_lines
from scenarios.faults.worker import CommandLog, Mix, Worker
from tests.fixtures.checked import ACKNOWLEDGED, HELD
from tests.hosting import SERVICES, Hosting
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from actors.base import Command
    from events.log import Log
    from scenarios.checker.invariant import Violation
    from scenarios.checker.report import Report

PROGRAM = Path(__file__).parent / "integration" / "host_program.py"
ROOT = Path(__file__).absolute().parent.parent
NAMES = tuple(f"s{number}" for number in range(8))
PER_SECOND = 100.0


class Probes(Mix):
    """Only probes wanted of services: nothing that needs an executor."""

    def next(self) -> tuple[EntityAddress, Command]:
        """Choose a service."""
        self._told += 1
        service = self.chance.choice(self.services)
        return EntityAddress("service", service), RequestProbe(reason=f"{self.name} {self._told}")


@contextlib.asynccontextmanager
async def hosted(
    address: ServerAddress, directory: Path, **environment: str
) -> AsyncIterator[Kept]:
    """Keep a host that the placement knows running in a process of its own, as Ray would."""
    given = {
        "TEST_LOG_URL": address.url,
        "TEST_LOG_TOKEN": address.token,
        "TEST_HOST": "h1",
        "PYTHONPATH": str(ROOT),
    }
    command = (sys.executable, str(PROGRAM))
    host = Kept("host", command, directory, {**given, **environment})
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


@dataclass(slots=True)
class Flow:
    """Commands at a pace to the services of a log, and what is known of them."""

    directory: Path
    worker: Worker
    task: asyncio.Task[None]

    @property
    def answered(self) -> int:
        """How many commands have come back."""
        return self.worker.log.in_flight.returned

    async def goes_on(self, count: int = 50, timeout_seconds: float = 30.0) -> None:
        """Wait until so many more commands are answered."""
        wanted = self.answered + count
        await until(lambda: self.answered >= wanted, timeout_seconds)

    async def end(self) -> None:
        """Send no more, and wait for what is in flight."""
        self.worker.stop.set()
        await self.task


@contextlib.asynccontextmanager
async def flowing(
    address: ServerAddress,
    directory: Path,
    name: str = "flow",
    *,
    services: tuple[str, ...] = NAMES,
    per_second: float = PER_SECOND,
) -> AsyncIterator[Flow]:
    """Let commands flow through a server, until the block ends and all have come back."""
    client = await connect(address, name)
    commands = CommandClient(client, principal="person:test", source="/test")
    mix = Probes(name, services, random.Random(1))
    worker = Worker(CommandLog(commands, directory, name), mix, per_second)
    flow = Flow(directory, worker, asyncio.create_task(worker.run()))
    try:
        yield flow
        await flow.end()
    finally:
        flow.task.cancel()
        await asyncio.wait([flow.task])
        worker.log.close()
        await client.close()


async def configure(hosting: Hosting) -> None:
    """Place all services on one host, start it, and watch some; the host ends again."""
    await hosting.place(h1=SERVICES)
    host = await hosting.start("h1")
    for name in NAMES:
        assert (await hosting.configure(name)).accepted
    await hosting.kill(host)


async def check(log: Log, directory: Path) -> Report:
    """Hold what flowed against the log and against what the host knows, as the checker does.

    Services alone are at work: only what was answered and their histories are exercised.
    """
    heading = RunHeading(datetime.now(UTC), must_exercise=(ACKNOWLEDGED, *HELD))
    await collect(log, ["h1"], heading, directory)
    return await asyncio.to_thread(check_run, directory)


def broken(report: Report) -> list[Violation]:
    """Give all that the checker found."""
    assert all(finding.violation_count <= 100 for finding in report.findings), "not all are kept"
    return [one for finding in report.findings for one in finding.violations]


def accepted_in(directory: Path) -> list[str]:
    """Give the ids of all commands that were accepted."""
    lines = [line for path in directory.glob("commands-*.jsonl") for line in read_lines(path)]
    return [line["command_id"] for line in lines if line["type"] == "ok"]


async def lost_of(log: Log, directory: Path) -> set[str]:
    """Give the ids of accepted commands that the log does not hold."""
    lost = set(accepted_in(directory))
    async for batch in log.read(["sf.>"]):
        for message in batch:
            lost -= {one.command_id for one in log.stored(message).commit.origins}
    return lost
