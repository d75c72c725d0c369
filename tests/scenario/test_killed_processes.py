"""Kill -9 of each of Standfast's processes while commands flow: nothing lost, nothing twice."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from actors.runtime.commands import CommandClient, NoAnswerError, Outcome
from actors.service import RequestProbe
from events.address import EntityAddress
from events.ids import new_id
from events.log import Log
from events.server import connect
from standfast.paths import StateDirectory
from standfast.runtime import Situation
from tests.standing import Standing

TARGETS = [EntityAddress("service", name) for name in ("demo-cache", "demo-app", "demo-database")]
VICTIMS = (
    "service-host",
    "alert-host",
    "recovery-host",
    "coordinator",
    "prober",
    "evaluator",
    "executor",
    "projector",
    "web",
    "raylet",
    "ray",
    "log",
)


@dataclass
class Flow:
    """Commands that are sent all the time, and what came back of each."""

    commands: CommandClient
    answers: dict[str, Outcome | None] = field(default_factory=dict)

    async def send(self) -> None:
        reason = f"flow {new_id()}"
        self.answers[reason] = None
        with contextlib.suppress(NoAnswerError):
            answer = await self.commands.send(
                TARGETS[len(self.answers) % len(TARGETS)],
                RequestProbe(reason=reason),
                patience_seconds=45,
            )
            self.answers[reason] = answer.outcome

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            with contextlib.suppress(asyncio.CancelledError):
                while True:
                    group.create_task(self.send())
                    await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def flowing(standing: Standing) -> AsyncIterator[Flow]:
    situation = Situation.read(StateDirectory(standing.directory))
    client = await connect(situation.runtime.address, "test")
    flow = Flow(CommandClient(client, principal="person:test", source="/test"))
    task = asyncio.create_task(flow.run())
    try:
        yield flow
        task.cancel()
        await task
        await _each_is_in_the_log_once(await Log.open(client), flow)
    finally:
        task.cancel()
        await client.close()


async def _each_is_in_the_log_once(log: Log, flow: Flow) -> None:
    found: Counter[str] = Counter()
    async for batch in log.read(["sf.service.>"]):
        for message in batch:
            for envelope in log.stored(message).envelopes():
                found[getattr(envelope.event, "reason", "")] += 1
    accepted = {Outcome.DONE, Outcome.DUPLICATE}
    assert flow.answers
    assert all(outcome in accepted for outcome in flow.answers.values()), flow.answers
    assert {reason: found[reason] for reason in flow.answers} == dict.fromkeys(flow.answers, 1)


async def _pid(standing: Standing, victim: str) -> int:
    if victim == "raylet":
        head = psutil.Process(standing.pid_of("ray"))
        return next(one.pid for one in head.children(recursive=True) if one.name() == "raylet")
    if victim in ("service-host", "alert-host", "recovery-host", "coordinator"):
        actors = await standing.json("actors")
        return int(next(one["pid"] for one in actors["hosts"] if one["name"] == victim))
    return standing.pid_of(victim)


@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_killed_process_loses_nothing_and_comes_back(
    standing: Standing, victim: str
) -> None:
    await standing.wait_ready()
    pid = await _pid(standing, victim)
    async with flowing(standing) as flow:
        await asyncio.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        sent = len(flow.answers)
        await _all_serve(standing)
        assert len(flow.answers) > sent
    await standing.run("verify")


async def _all_serve(standing: Standing) -> None:
    """Every host answers, the page is ready and its rows are of the log's end."""
    async with asyncio.timeout(75):
        while True:
            with contextlib.suppress(AssertionError, TimeoutError, ValueError):
                await standing.wait_ready(5)
                actors = await standing.json("actors")
                if all(host["answered"] and host["ready"] for host in actors["hosts"]):
                    return
            await asyncio.sleep(0.2)


async def test_a_killed_supervisor_is_succeeded_by_one_that_starts_nothing_twice(
    standing: Standing,
) -> None:
    await standing.wait_ready()
    before = standing.pids()
    standing.kill()
    standing.start()
    await standing.wait_ready()
    await _all_serve(standing)
    assert standing.pids() == before
    command = "state-dir\0" + str(standing.directory)
    roles = [
        process.pid for process in psutil.process_iter() if command in _command_line(process.pid)
    ]
    assert sorted(roles) == sorted(
        before[role] for role in ("prober", "evaluator", "executor", "projector", "web")
    )


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (OSError, UnicodeDecodeError):
        return ""
