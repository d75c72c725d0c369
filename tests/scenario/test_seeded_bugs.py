"""A bug that is put into real processes is found by the checker; without it the run is clean."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from actors.alert import FireAlert
from actors.runtime.description import ask_host
from actors.service import RequestProbe
from events.address import EntityAddress
from events.alert import AlertEscalated, Escalation
from events.effect import EffectOutcomeUnknown, EffectSucceeded
from events.host import HostStarted
from events.incident import IncidentOpened
from events.server import ServerAddress
from scenarios.faults.proxy import Loss, NatsProxy
from tests.fixtures.checked import ACKNOWLEDGED, CHAINED, HELD
from tests.flow import hosted
from tests.hosting import PLACED, SERVICES, Hosting
from tests.integration.effect_world import a_world, an_executor
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nats.aio.client import Client

    from scenarios.checker.report import Report
    from tests.fixtures.checked import CheckedRun
    from tests.fixtures.nats import NatsServer

SERVICES_ASKED = [EntityAddress("service", name) for name in ("a", "b", "c")]


@contextlib.asynccontextmanager
async def hosts(
    address: ServerAddress, run: CheckedRun, bug: str, count: int = 1
) -> AsyncIterator[None]:
    """Keep hosts of one name running, with a bug in them where one is named."""
    async with contextlib.AsyncExitStack() as stack:
        for number in range(count):
            directory = run.directory / f"host-{number}"
            directory.mkdir(exist_ok=True)
            await stack.enter_async_context(hosted(address, directory, TEST_BUG=bug))
        yield


async def ready(client: Client) -> None:
    """Wait until the host answers and is ready."""
    async with asyncio.timeout(30):
        while not (await ask_host(client, "h1", entities=False)).ready:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def verdict(report: Report) -> set[str]:
    """Give the invariants that do not hold; none where the run is clean."""
    return {finding.invariant for finding in report.findings if not finding.holds}


async def ask(run: CheckedRun, client: Client, commands: int) -> None:
    """Send commands to some services, twenty at once."""
    sender, places = run.commands(client), asyncio.Semaphore(20)

    async def send(number: int) -> None:
        async with places:
            target = SERVICES_ASKED[number % len(SERVICES_ASKED)]
            await sender.send(target, RequestProbe(reason=f"{number}"))

    await asyncio.gather(*[send(number) for number in range(commands)])


@pytest.mark.parametrize("bug", ["", "missing-fence"])
async def test_two_hosts_for_one_bucket(
    own_hosting: Hosting, checked_run: CheckedRun, bug: str
) -> None:
    hosting = own_hosting
    await hosting.place(h1=SERVICES)
    async with hosts(hosting.address, checked_run, bug, count=2):
        await ready(hosting.log.client)
        if bug:  # with the fence, the second host's own record may need several tries
            await hosting.until_event(HostStarted, count=2)
        for name in ("a", "b", "c"):
            await hosting.configure(name)
        await ask(checked_run, hosting.log.client, 300)
    report = await checked_run.report(hosting.log, (ACKNOWLEDGED, *CHAINED))
    assert ("history" in verdict(report)) == bool(bug), list(report.lines())
    assert bug or report.is_clean, list(report.lines())


@pytest.mark.parametrize("bug", ["", "blind-acknowledgement"])
async def test_an_acknowledgement_that_gets_lost(
    own_hosting: Hosting, own_server: NatsServer, checked_run: CheckedRun, bug: str
) -> None:
    hosting = own_hosting
    await hosting.place(h1=SERVICES)
    proxy = NatsProxy(own_server.port)
    port = await proxy.start()
    address = ServerAddress(f"nats://127.0.0.1:{port}", hosting.address.token)
    async with hosts(address, checked_run, bug):
        await ready(hosting.log.client)
        for name in ("a", "b", "c"):
            await hosting.configure(name)
        loss = Loss(client="host-program", prefix="sf.service.", left=6)
        proxy.add(loss)
        await ask(checked_run, hosting.log.client, 200)
        report = await checked_run.report(
            hosting.log, (ACKNOWLEDGED, *CHAINED), () if bug else ("h1",)
        )
    await proxy.stop()
    assert loss.lost == 6
    assert ("acknowledged" in verdict(report)) == bool(bug), list(report.lines())
    assert bug or report.is_clean, list(report.lines())


@pytest.mark.parametrize("bug", ["", "missing-mark"])
async def test_orders_that_are_delivered_again(
    own_hosting: Hosting, checked_run: CheckedRun, bug: str
) -> None:
    hosting = own_hosting
    await hosting.place(h1=PLACED)
    await hosting.executor()
    async with hosts(hosting.address, checked_run, bug):
        await ready(hosting.log.client)
        await hosting.platform({"db": (), "app": ("db",)})
        for name in ("db", "app"):
            await hosting.report(name, "healthy")
        await hosting.report("db", "down")
        await hosting.until_event(IncidentOpened)
        await hosting.quiet()
    async with hosts(hosting.address, checked_run, bug):
        await ready(hosting.log.client)
        await hosting.report("db", "healthy")
        await hosting.quiet(1.0)
        report = await checked_run.report(hosting.log, (*HELD, "causes: orders"), ("h1",))
    assert ({"history", "causes"} <= verdict(report)) == bool(bug), list(report.lines())
    assert bug or report.is_clean, list(report.lines())


@pytest.mark.parametrize("bug", ["", "lost-timer"])
async def test_a_timer_that_runs_while_its_host_is_started_again(
    own_hosting: Hosting, checked_run: CheckedRun, bug: str
) -> None:
    hosting = own_hosting
    await hosting.place(h1=("alert",))
    async with hosts(hosting.address, checked_run, bug):
        await ready(hosting.log.client)
        wish = FireAlert(
            labels={"alertname": "A"},
            severity="info",
            receivers=(),
            escalation=Escalation(wait_seconds=4.0, repeats_max=1),
        )
        assert (await hosting.send("alert/a", wish)).accepted
        due = datetime.now(UTC) + timedelta(seconds=4)
    async with hosts(hosting.address, checked_run, bug):
        await ready(hosting.log.client)
        if bug:
            await until(lambda: datetime.now(UTC) > due + timedelta(seconds=2), 15)
        else:
            await hosting.until_event(AlertEscalated)
        claims = () if bug else ("due: timers",)
        report = await checked_run.report(hosting.log, claims, ("h1",), late_seconds=1.0)
    assert ("due" in verdict(report)) == bool(bug), list(report.lines())
    assert bug or report.is_clean, list(report.lines())


@pytest.mark.parametrize("bug", ["", "missing-deadline"])
async def test_an_executor_that_sleeps_over_a_deadline(
    own_hosting: Hosting,
    own_server: NatsServer,
    checked_run: CheckedRun,
    tmp_path: Path,
    bug: str,
) -> None:
    ledger = checked_run.directory / "ledger-command.jsonl"
    async with a_world(own_hosting.log) as world:
        for name in ("late", "early"):
            command = ("sh", "-c", checked_run.entry(name))
            action = {"effect": "command.run", "command": command}
            await world.configure(name, recovery=action)
        with an_executor(own_server, tmp_path, bug=bug) as executor:
            executor.send(signal.SIGSTOP)
            entity = await world.recover("late", "command.run", timeout_seconds=1.0)
            assert isinstance(await world.end_of(entity), EffectOutcomeUnknown)
            executor.send(signal.SIGCONT)
            other = await world.recover("early", "command.run")
            assert isinstance(await world.end_of(other), EffectSucceeded)
            if bug:
                await until(lambda: _entries(ledger)["late"] == 1)
        report = await checked_run.report(own_hosting.log, ("world: acted", "world: in time"))
    assert ("world" in verdict(report)) == bool(bug), list(report.lines())
    assert bug or report.is_clean, list(report.lines())


def _entries(ledger: Path) -> Counter[str]:
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    return Counter(name for line in lines for name in ("late", "early") if name in line)
