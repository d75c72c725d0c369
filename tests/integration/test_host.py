"""A host is the single writer of its entities, answers after the commit, and outlives its death."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors.runtime.commands import NoAnswerError
from actors.runtime.description import ask_host
from actors.runtime.host import Host
from actors.service import ConfigureService, RequestProbe
from events.address import EntityAddress
from events.host import HostReady, HostStarted
from events.service import ServiceProbeRequested
from tests.fixtures.checked import ACKNOWLEDGED, HELD
from tests.hosting import SERVICES, SETTINGS, Hosting, states_of
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.checked import CheckedRun
    from tests.fixtures.nats import NatsServer

S0 = EntityAddress("service", "s0")
PROGRAM = Path(__file__).parent / "host_program.py"


@pytest.fixture
def host_process(nats_server: NatsServer) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Give the list of host processes; the test starts them with `start_process`."""
    del nats_server
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait(10)


def start_process(
    started: list[subprocess.Popen[bytes]], hosting: Hosting, name: str = "h1"
) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "TEST_LOG_URL": hosting.address.url,
        "TEST_LOG_TOKEN": hosting.address.token,
        "TEST_HOST": name,
    }
    process = subprocess.Popen([sys.executable, str(PROGRAM)], env=environment)
    started.append(process)
    return process


@pytest.mark.parametrize("services", [1, 7])
async def test_a_host_killed_while_commands_flow_does_each_accepted_command_once(
    hosting: Hosting,
    host_process: list[subprocess.Popen[bytes]],
    checked_run: CheckedRun,
    services: int,
) -> None:
    await hosting.place(h1=SERVICES)
    process = start_process(host_process, hosting)
    await hosting.until_event(HostReady)
    for number in range(services):
        await hosting.configure(f"s{number}")
    sender = checked_run.commands(hosting.log.client)
    flowing = asyncio.gather(
        *[
            sender.send(EntityAddress("service", f"s{number % services}"), RequestProbe(reason="x"))
            for number in range(200)
        ]
    )
    for kills in range(2):
        await hosting.until_event(ServiceProbeRequested, count=1 + 80 * kills)
        with checked_run.injected("kill", "h1"):
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            process = start_process(host_process, hosting)
            await hosting.until_event(HostStarted, count=kills + 2)
    answers = await flowing
    assert all(answer is not None and answer.accepted for answer in answers)
    assert len(await hosting.events(ServiceProbeRequested)) == 200
    await checked_run.clean(hosting.log, ACKNOWLEDGED, *HELD, hosts=("h1",))


async def test_what_is_in_memory_is_what_the_log_says(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    for number in range(10):
        await hosting.configure(f"s{number}")
        await hosting.report(f"s{number}", "healthy" if number % 2 else "down")
    await hosting.probe_many(10, 50)
    live = states_of(host)
    folded = await hosting.folded()
    assert {address: state[0] for address, state in live.items()} == {
        address: state for address, state in folded.items() if address.kind in SERVICES
    }
    await hosting.kill(host)
    assert states_of(await hosting.start()) == live


async def test_a_host_says_what_it_hosts(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start("h1", node="node-1")
    await hosting.configure("s0")
    described = await ask_host(hosting.log.client, "h1")
    assert (described.answered, described.pid, described.node) == (True, os.getpid(), "node-1")
    assert described.kinds == ("platform", "service", "topology")
    assert [(one["kind"], one["id"], one["state"]) for one in described.entities] == [
        ("service", "s0", "Watched")
    ]
    await hosting.kill(host)
    assert not (await ask_host(hosting.log.client, "h1")).answered


async def test_the_log_may_be_killed_under_a_host(
    own_server: NatsServer, own_hosting: Hosting
) -> None:
    await own_hosting.place(h1=SERVICES)
    host = await own_hosting.start()
    for number in range(5):
        await own_hosting.configure(f"s{number}")
    flowing = asyncio.create_task(own_hosting.probe_many(5, 100))
    await until(lambda: any(e.head.sequence > 8 for e in host.mailroom.entities.values()))
    own_server.kill()
    own_server.start()
    answers = await flowing
    assert all(answer.accepted for answer in answers.values())
    reasons = [event.reason for event in await own_hosting.events(ServiceProbeRequested)]
    assert sorted(reasons) == sorted(answers)
    await own_hosting.check_chains()
    assert not own_hosting.task(host).done()


async def test_a_host_crashes_rather_than_work_on_when_it_is_broken(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hosting.place(h1=SERVICES)
    host: Host = await hosting.start()

    async def broken(*_arguments: object) -> None:
        message = "broken"
        raise AssertionError(message)

    monkeypatch.setattr(type(host.mailroom.drainer), "_commit", broken)
    with pytest.raises(NoAnswerError):
        await hosting.send(
            "service/s0",
            ConfigureService(settings=SETTINGS, configuration_hash="hash"),
            patience_seconds=0.5,
        )
    await until(lambda: hosting.task(host).done())
    assert isinstance(hosting.task(host).exception(), AssertionError)


async def test_a_host_says_that_it_has_settled_when_it_has_read_what_it_owns(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hosting.place(h1=SERVICES)
    await hosting.start()
    await hosting.send("service/s0", ConfigureService(settings=SETTINGS, configuration_hash="hash"))
    known: list[int] = []

    async def run(self: Host) -> None:
        self.settled = lambda: known.append(len(self.mailroom.entities))
        await running(self)

    running = Host.run
    monkeypatch.setattr(Host, "run", run)
    host = await hosting.start("h1")
    assert known == [len(host.mailroom.entities)] == [1]
