"""The evaluator reports what changed and nothing else; what nobody saw is NO DATA, never down."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from actors.runtime.commands import CommandClient
from actors.service import Down, Healthy, NoData, Unproven
from evaluation.series import probe_rows
from events.address import EntityAddress
from events.log import Log
from events.server import free_port
from events.service import ServiceBecameHealthy, ServiceLostSight, ServiceWentDown, TcpCheck
from events.telemetry_log import TelemetryWriter
from standfast.evaluator import Evaluator
from standfast.prober import Prober, ProberSettings
from tests.fixtures.nats import connect_to, fresh_log
from tests.fixtures.service_host import Services, vantage
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from events.base import Event
    from tests.fixtures.nats import NatsServer

QUICK = TcpCheck(
    name="tcp",
    port=1,
    interval_seconds=0.3,
    timeout_seconds=0.3,
    failure_threshold=3,
    success_threshold=2,
)


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


@asynccontextmanager
async def running(coroutine: Coroutine[object, object, None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(coroutine)
    try:
        yield
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError), outcome


def evaluator_of(log: Log) -> Evaluator:
    commands = CommandClient(log.client, principal="process:evaluator", source="/test")
    return Evaluator(log, commands, vantage("evaluator"))


def seer_of(log: Log) -> Seer:
    return Seer(TelemetryWriter(log.client, vantage("prober-1")))


@asynccontextmanager
async def evaluating(log: Log) -> AsyncIterator[tuple[Evaluator, Seer]]:
    evaluator, seer = evaluator_of(log), seer_of(log)
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


async def test_three_failures_are_down_and_two_successes_healthy_again(services: Services) -> None:
    await services.configure("web", QUICK)
    async with evaluating(services.log) as (_, seer):
        seer.see("web", succeeded=True)
        await until(lambda: isinstance(services.health("web"), Healthy))
        for _ in range(3):
            seer.see("web", succeeded=False)
            await asyncio.sleep(0.01)
        await until(lambda: isinstance(services.health("web"), Down))
        for _ in range(2):
            seer.see("web", succeeded=True)
            await asyncio.sleep(0.01)
        await until(lambda: isinstance(services.health("web"), Healthy))
    healthy, down, again = await facts(services, "web")
    assert isinstance(healthy, ServiceBecameHealthy)
    assert isinstance(down, ServiceWentDown)
    assert isinstance(again, ServiceBecameHealthy)
    assert (down.since, down.check, down.reason) == (seer.written[1], "tcp", "failure 4")
    assert (healthy.since, again.since) == (seer.written[0], seer.written[4])
    evidence = down.evidence
    assert [row.succeeded for row in evidence.excerpt] == [True, False, False, False]
    assert [row.time for row in evidence.excerpt] == seer.written[:4]
    assert (evidence.stream, evidence.log_id) == (
        "STANDFAST_TELEMETRY",
        services.log.identity.log_id,
    )
    message = await services.log.client.jsm().get_msg(evidence.stream, evidence.last)
    assert b"failure 4" in (message.data or b"")
    commits = [one async for one in services.log.read_entity(EntityAddress("service", "web"))]
    assert commits[2].commit.origins[0].time == seer.written[3]


async def test_silence_is_no_data_and_a_success_ends_it(services: Services) -> None:
    await services.configure("web", QUICK)
    await services.configure("never", QUICK)
    async with evaluating(services.log) as (_, seer):
        seer.see("web", succeeded=True)
        await until(lambda: isinstance(services.health("web"), Healthy))
        await until(lambda: isinstance(services.health("web"), NoData))
        await until(lambda: isinstance(services.health("never"), NoData))
        seer.see("web", succeeded=True)
        await until(lambda: isinstance(services.health("web"), Healthy))
    lost = (await facts(services, "web"))[1]
    assert isinstance(lost, ServiceLostSight)
    assert lost.reason == "no result of check tcp for 0.9 s"
    assert lost.since == seer.written[0]


async def test_marked_failures_are_no_data_and_never_down(services: Services) -> None:
    for service in ("lagged", "canary"):
        await services.configure(service, QUICK)
    async with evaluating(services.log) as (_, seer):
        for service in ("lagged", "canary"):
            seer.see(service, succeeded=True)
        async with (
            seen_every(0.1, seer, "lagged", succeeded=False, lagged=True),
            seen_every(0.1, seer, "canary", succeeded=False, canary_failed=True),
        ):
            for service in ("lagged", "canary"):
                await until(lambda one=service: isinstance(services.health(one), NoData))  # type: ignore[misc]
    lagged, canary = (await facts(services, "lagged"), await facts(services, "canary"))
    assert [type(fact) for fact in lagged] == [ServiceBecameHealthy, ServiceLostSight]
    assert [type(fact) for fact in canary] == [ServiceBecameHealthy, ServiceLostSight]
    assert isinstance(lagged[1], ServiceLostSight)
    assert lagged[1].reason.endswith(": prober-1 lagged")
    assert isinstance(canary[1], ServiceLostSight)
    assert canary[1].reason.endswith(": prober-1 did not see its canary either")


async def test_a_steady_state_causes_no_command(services: Services) -> None:
    names = [f"service-{number}" for number in range(200)]
    for name in names:
        await services.configure(name, QUICK)
    async with evaluating(services.log) as (evaluator, seer):
        async with running(see_all(seer, names)):
            await until(lambda: all(isinstance(services.health(n), Healthy) for n in names), 20)
            before = evaluator.reporter.reports
            horizon = evaluator.watching.horizon
            assert horizon is not None
            await until(lambda: evaluator.watching.horizon > later(horizon, 3))  # type: ignore[operator]
        assert evaluator.reporter.reports == before == 200


async def see_all(seer: Seer, names: list[str]) -> None:
    while True:
        for name in names:
            seer.see(name, succeeded=True)
        await asyncio.sleep(0.3)


def later(moment: datetime, seconds: float) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() + seconds, UTC)


async def test_a_restart_says_nothing_false_and_counts_on(services: Services) -> None:
    await services.configure("web", QUICK)
    await services.configure("down", QUICK)
    async with evaluating(services.log) as (_, seer):
        seer.see("web", succeeded=True)
        for _ in range(3):
            seer.see("down", succeeded=False)
            await asyncio.sleep(0.01)
        await until(lambda: isinstance(services.health("down"), Down))
        await until(lambda: isinstance(services.health("web"), Healthy))
        seer.see("web", succeeded=False)
        await asyncio.sleep(0.01)
        seer.see("web", succeeded=False)
        seer.see("down", succeeded=True)
        await until(lambda: seer.writer.waiting_batches == 0)
    async with evaluating(services.log) as (evaluator, seer):
        assert evaluator.reporter.reports == 0
        seer.see("web", succeeded=False)
        await until(lambda: isinstance(services.health("web"), Down))
        seer.see("down", succeeded=True)
        await until(lambda: isinstance(services.health("down"), Healthy))
    assert [type(fact) for fact in await facts(services, "web")] == [
        ServiceBecameHealthy,
        ServiceWentDown,
    ]


@contextmanager
def probing_in_a_thread(server: NatsServer) -> Iterator[None]:
    """Run a real prober in a loop of its own, so that ours may be held up."""
    ready, stop = threading.Event(), threading.Event()

    async def probe() -> None:
        client = await connect_to(server, "prober")
        log = await Log.open(client)
        async with running(Prober(log, vantage("prober-1")).run()):
            ready.set()
            await asyncio.to_thread(stop.wait)
        await client.close()

    thread = threading.Thread(target=lambda: asyncio.run(probe()))
    thread.start()
    assert ready.wait(10)
    yield
    stop.set()
    thread.join()


def block(seconds: float) -> None:
    """Hold up the event loop."""
    time.sleep(seconds)


async def test_a_lagging_evaluator_concludes_nothing_from_its_own_lag(
    nats_server: NatsServer, services: Services
) -> None:
    await services.configure("web", QUICK.model_copy(update={"port": nats_server.port}))
    with probing_in_a_thread(nats_server):
        async with evaluating(services.log) as (evaluator, _):
            await until(lambda: isinstance(services.health("web"), Healthy))
            for _ in range(3):
                block(2.5)
                horizon = evaluator.watching.horizon
                assert horizon is not None
                await until(lambda: evaluator.watching.horizon > later(horizon, 1.5))  # type: ignore[operator]  # noqa: B023
            assert evaluator.reporter.reports == 1
    assert [type(fact) for fact in await facts(services, "web")] == [ServiceBecameHealthy]


async def test_what_nobody_answers_is_reported_later_as_it_is_then(services: Services) -> None:
    await services.configure("web", QUICK)
    await services.configure("other", QUICK)
    await services.stop()
    async with evaluating(services.log) as (evaluator, seer):
        for _ in range(3):
            seer.see("web", succeeded=False)
            await asyncio.sleep(0.01)
        seer.see("other", succeeded=True)
        await until(lambda: evaluator.reporter.reports == 2)
        async with seen_every(0.1, seer, "web"), seen_every(0.1, seer, "other"):
            await until(lambda: evaluator.watching.verdict("web") == "healthy")
            await services.start()
            await until(lambda: isinstance(services.health("web"), Healthy), 20)
            await until(lambda: isinstance(services.health("other"), Healthy), 20)
    assert isinstance((await facts(services, "other"))[0], ServiceBecameHealthy)


async def test_a_retired_service_is_forgotten_and_a_new_one_is_unproven(
    services: Services,
) -> None:
    await services.configure("web", QUICK)
    async with evaluating(services.log) as (evaluator, seer):
        async with seen_every(0.1, seer, "web"):
            await until(lambda: isinstance(services.health("web"), Healthy))
            await services.retire("web")
            await until(lambda: evaluator.watching.services == ())
        reports = evaluator.reporter.reports
        await services.configure("web", QUICK)
        assert isinstance(services.health("web"), Unproven)
        await until(lambda: isinstance(services.health("web"), NoData))
        assert evaluator.reporter.reports == reports + 1
        await services.retire("web")
        await services.configure("web", QUICK)
        await until(lambda: isinstance(services.health("web"), NoData))


async def test_a_changed_check_counts_anew(services: Services) -> None:
    await services.configure("web", QUICK)
    async with evaluating(services.log) as (evaluator, seer):
        seer.see("web", succeeded=False)
        await asyncio.sleep(0.01)
        seer.see("web", succeeded=False)
        await until(lambda: seer.writer.waiting_batches == 0)
        moved = QUICK.model_copy(update={"port": 2})
        answer = await services.configure("web", moved)
        await until(lambda: evaluator.reporter.book.pages["web"].sequence == answer.sequence)
        seer.see("web", succeeded=False)
        seer.see("web", succeeded=True, check="tcp")
        await until(lambda: isinstance(services.health("web"), Healthy))


async def test_an_outage_of_the_log_makes_no_outage_of_a_service(own_server: NatsServer) -> None:
    client = await connect_to(own_server)
    log = await fresh_log(client)
    services = Services(log)
    await services.start()
    with socket.create_server(("127.0.0.1", 0), backlog=500) as target:
        port = target.getsockname()[1]
        slow = QUICK.model_copy(update={"port": port, "interval_seconds": 1.0})
        await services.configure("web", slow)
        prober, evaluator = Prober(log, vantage("prober-1")), evaluator_of(log)
        async with running(prober.run()), running(evaluator.run()):
            await until(lambda: isinstance(services.health("web"), Healthy))
            own_server.kill()
            await until(lambda: prober.writer.waiting_batches > 4, 20)
            own_server.start()
            horizon = evaluator.watching.horizon
            assert horizon is not None
            await until(lambda: evaluator.watching.horizon > later(horizon, 20), 60)  # type: ignore[operator]
            assert evaluator.reporter.reports == 1
            target.close()
            await until(lambda: isinstance(services.health("web"), Down), 20)
    await services.stop()
    await client.close()


async def test_a_killed_service_is_down_and_a_revived_one_healthy_by_real_probes(
    services: Services,
) -> None:
    port = free_port()
    await services.configure("web", QUICK.model_copy(update={"port": port}))
    prober, evaluator = Prober(services.log, vantage("prober-1")), evaluator_of(services.log)
    with Target(port) as target:
        async with running(prober.run()), running(evaluator.run()):
            await until(lambda: isinstance(services.health("web"), Healthy))
            target.kill()
            await until(lambda: isinstance(services.health("web"), Down))
            target.start()
            await until(lambda: isinstance(services.health("web"), Healthy))
    down = (await facts(services, "web"))[1]
    assert isinstance(down, ServiceWentDown)
    assert down.reason == f"connection refused by 127.0.0.1:{port}"


async def test_a_blind_prober_makes_no_data_of_its_own_blindness(services: Services) -> None:
    await services.configure("web", QUICK.model_copy(update={"port": free_port()}))
    blind = ProberSettings(canary=QUICK.model_copy(update={"port": free_port()}))
    prober = Prober(services.log, vantage("prober-1"), blind)
    evaluator = evaluator_of(services.log)
    async with running(prober.run()), running(evaluator.run()):
        await until(lambda: isinstance(services.health("web"), NoData))
    assert [type(fact) for fact in await facts(services, "web")] == [ServiceLostSight]


class Target:
    """A real HTTP server in a process of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
