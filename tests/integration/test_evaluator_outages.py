"""Neither its own lag nor an outage of the log or a host makes an evaluator say what is false."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from actors.service import Down, Healthy, NoData
from events.log import Log
from events.server import free_port
from events.service import ServiceBecameHealthy, ServiceLostSight, ServiceWentDown
from standfast.roles.prober import Prober, ProberSettings
from tests.fixtures.checked import HELD, NO_POLICIES
from tests.fixtures.nats import connect_to, fresh_log
from tests.fixtures.service_host import HOST, Services, vantage
from tests.waiting import until
from tests.watching import (
    QUICK,
    block,
    evaluating,
    evaluator_of,
    facts,
    running,
    seen_every,
    until_read_on,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.checked import CheckedRun
    from tests.fixtures.nats import NatsServer


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


async def test_a_lagging_evaluator_concludes_nothing_from_its_own_lag(
    nats_server: NatsServer, services: Services
) -> None:
    await services.configure("web", QUICK.model_copy(update={"port": nats_server.port}))
    with probing_in_a_thread(nats_server):
        async with evaluating(services.log) as (evaluator, _):
            await until(lambda: isinstance(services.health("web"), Healthy))
            for _ in range(3):
                block(2.5)
                await until_read_on(evaluator, 1.5)
            assert evaluator.reporter.reports == 1
    assert [type(fact) for fact in await facts(services, "web")] == [ServiceBecameHealthy]


async def test_what_nobody_answers_is_reported_later_as_it_is_then(
    services: Services, checked_run: CheckedRun
) -> None:
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
    await checked_run.clean(services.log, *HELD, hosts=(HOST,), without=NO_POLICIES)


async def test_an_outage_of_the_log_makes_no_outage_of_a_service(
    own_server: NatsServer, checked_run: CheckedRun
) -> None:
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
            with checked_run.injected("kill", "log"):
                own_server.kill()
                await until(lambda: prober.writer.waiting_batches > 4, 20)
                own_server.start()
                await until_read_on(evaluator, 8, 60)
            assert evaluator.reporter.reports == 1
            target.close()
            await until(lambda: isinstance(services.health("web"), Down), 20)
        await checked_run.clean(log, *HELD, hosts=(HOST,), without=NO_POLICIES)
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
    down = [one for one in await facts(services, "web") if isinstance(one, ServiceWentDown)][-1]
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
