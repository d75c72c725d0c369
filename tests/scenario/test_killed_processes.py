"""Kill -9 of each of Standfast's processes while commands flow: nothing lost, nothing twice."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import psutil
import pytest
from nats.aio.client import Client

from actors.runtime.commands import CommandClient, NoAnswerError, Outcome
from actors.runtime.description import ask_host
from actors.service import RequestProbe
from events.address import EntityAddress
from events.ids import new_id
from events.log import Log
from events.server import connect
from standfast.paths import StateDirectory
from standfast.runtime import Situation
from standfast.supervisor.hosts import HOSTED
from standfast.supervisor.processes import ROLES, WATCHDOG
from tests.standing import Standing
from tests.waiting import until

TARGETS = [EntityAddress("service", name) for name in ("demo-cache", "demo-app", "demo-database")]
VICTIMS = (
    "watchdog",
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

    client: Client
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
    flow = Flow(client, CommandClient(client, principal="person:test", source="/test"))
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


async def _pid(standing: Standing, client: Client, victim: str) -> int:
    if victim == "raylet":
        head = psutil.Process(standing.pid_of("ray"))
        return next(one.pid for one in head.children(recursive=True) if one.name() == "raylet")
    if victim in HOSTED:
        return (await ask_host(client, victim)).pid
    return standing.pid_of(victim)


@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_killed_process_loses_nothing_and_comes_back(
    standing: Standing, victim: str
) -> None:
    await standing.wait_ready()
    async with flowing(standing) as flow:
        pid = await _pid(standing, flow.client, victim)
        os.kill(pid, signal.SIGKILL)
        sent = len(flow.answers)
        await _all_serve(standing, flow.client, not_by=pid)
        assert len(flow.answers) > sent


async def _all_serve(standing: Standing, client: Client, not_by: int = 0) -> None:
    """Every host answers and is ready, the page too, and none of them is the killed process."""
    async with asyncio.timeout(75):
        await standing.wait_ready()
        while True:
            described = [await ask_host(client, name) for name in HOSTED]
            if all(one.answered and one.ready and one.pid != not_by for one in described):
                break
            await asyncio.sleep(0.1)
        await until(lambda: not_by not in standing.pids().values(), 60)


async def test_after_all_this_the_log_verifies(standing: Standing) -> None:
    await standing.run("verify")


async def test_a_killed_supervisor_is_succeeded_by_one_that_starts_nothing_twice(
    standing: Standing,
) -> None:
    await standing.wait_ready()
    before = standing.pids()
    standing.kill()
    standing.start()
    await until(lambda: standing.output.count("ready:") == 2, 60)
    assert standing.pids() == before
    roles = [one.pid for one in psutil.process_iter() if _is_role_of(one, standing)]
    assert sorted(roles) == sorted(before[role] for role in (WATCHDOG, *ROLES))
    client = await connect(Situation.read(StateDirectory(standing.directory)).runtime.address, "t")
    await _all_serve(standing, client)
    await client.close()


def _is_role_of(process: psutil.Process, standing: Standing) -> bool:
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        return "process" in command and str(standing.directory) in command
    return False
