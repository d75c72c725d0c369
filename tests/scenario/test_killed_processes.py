"""Kill -9 of each of Standfast's processes while commands flow: nothing lost, nothing twice."""

import asyncio
import contextlib
import os
import signal

import psutil
import pytest
from nats.aio.client import Client

from actors.runtime.description import ask_host
from events.log import Log
from standfast.supervisor.layout import HOSTED
from standfast.supervisor.processes import ROLES, WATCHDOG
from tests.fixtures.checked import ACKNOWLEDGED, HELD, CheckedRun
from tests.flow import flowing
from tests.hurting import address_of, connected
from tests.standing import Standing
from tests.waiting import until

TARGETS = ("demo-cache", "demo-app", "demo-database")
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


async def _pid(standing: Standing, client: Client, victim: str) -> int:
    if victim == "raylet":
        head = psutil.Process(standing.pid_of("ray"))
        return next(one.pid for one in head.children(recursive=True) if one.name() == "raylet")
    if victim in HOSTED:
        return (await ask_host(client, victim)).pid
    return standing.pid_of(victim)


@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_killed_process_loses_nothing_and_comes_back(
    standing: Standing, checked_run: CheckedRun, victim: str
) -> None:
    await standing.wait_ready()
    async with connected(standing) as client:
        async with flowing(
            address_of(standing), checked_run.directory, services=TARGETS, per_second=50
        ) as flow:
            await flow.goes_on(20)
            pid = await _pid(standing, client, victim)
            with checked_run.injected("kill", victim):
                os.kill(pid, signal.SIGKILL)
                if victim in HOSTED:
                    await _others_answer(client, victim)
                await _all_serve(standing, client, not_by=pid)
            await flow.goes_on(20)
        await _comes_to_rest(standing)
        log = await Log.open(client)
        await checked_run.clean(log, ACKNOWLEDGED, *HELD, hosts=HOSTED)


async def _others_answer(client: Client, victim: str) -> None:
    """Ask each other host, once: it is there, and has all its buckets."""
    others = [name for name in HOSTED if name != victim]
    described = await asyncio.gather(*[ask_host(client, name, entities=False) for name in others])
    assert all(one.answered and one.ready for one in described), described


async def _comes_to_rest(standing: Standing) -> None:
    """Wait until all is healthy again, and nobody has anything open."""
    await standing.wait_for(
        "/api/services", lambda found: all(one["state"] == "healthy" for one in found["services"])
    )
    for path, kind in (
        ("/api/alerts?state=firing", "alerts"),
        ("/api/incidents?state=open", "incidents"),
    ):
        await standing.wait_for(path, lambda found, kind=kind: not found[kind])


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
    standing: Standing, checked_run: CheckedRun
) -> None:
    await standing.wait_ready()
    before, ready = standing.pids(), standing.output.count("ready:")
    async with connected(standing) as client:
        async with flowing(
            address_of(standing), checked_run.directory, services=TARGETS, per_second=50
        ) as flow:
            with checked_run.injected("kill", "supervisor"):
                standing.kill()
                standing.start()
                await until(lambda: standing.output.count("ready:") > ready, 60)
            assert standing.pids() == before
            roles = [one.pid for one in psutil.process_iter() if _is_role_of(one, standing)]
            assert sorted(roles) == sorted(before[role] for role in (WATCHDOG, *ROLES))
            await _all_serve(standing, client)
            await flow.goes_on(20)
        await _comes_to_rest(standing)
        log = await Log.open(client)
        await checked_run.clean(log, ACKNOWLEDGED, *HELD, hosts=HOSTED)


async def test_what_dies_while_a_supervisor_starts_is_made_again(
    standing: Standing, checked_run: CheckedRun
) -> None:
    await standing.wait_ready()
    async with connected(standing) as client:
        raylet = await _pid(standing, client, "raylet")
        begun, ready = (standing.output.count(said) for said in ("the log is open", "ready:"))
        async with flowing(
            address_of(standing), checked_run.directory, services=TARGETS, per_second=50
        ) as flow:
            with checked_run.injected("kill", "supervisor"), checked_run.injected("kill", "ray"):
                standing.kill()
                standing.start()
                await until(lambda: standing.output.count("the log is open") > begun, 30)
                os.kill(raylet, signal.SIGKILL)
                await until(lambda: standing.output.count("ready:") > ready, 75)
            await _all_serve(standing, client)
            await flow.goes_on(20)
        await _comes_to_rest(standing)
        log = await Log.open(client)
        await checked_run.clean(log, ACKNOWLEDGED, *HELD, hosts=HOSTED)


def _is_role_of(process: psutil.Process, standing: Standing) -> bool:
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        return "process" in command and str(standing.directory) in command
    return False
