"""A prober learns its checks from the log and writes what it saw; its own trouble is told."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import statistics
import threading
import time
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from actors.service import RequestProbe
from effects.lag import LoopLag
from effects.ports import Observed
from effects.probes.canary import Canary
from evaluation.series import readings_of
from events.address import EntityAddress
from events.server import free_port
from events.service import Check, CommandCheck, HttpCheck, ProcessCheck, TcpCheck
from standfast.roles.prober import Prober, ProberSettings
from tests.fixtures.nats import connect_to, fresh_log
from tests.fixtures.service_host import Services, vantage
from tests.waiting import until
from tests.watching import (
    Ledger,
    block,
    running,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from events.log import Log
    from tests.fixtures.nats import NatsServer


@asynccontextmanager
async def probing(
    log: Log, settings: ProberSettings | None = None
) -> AsyncIterator[tuple[Prober, Ledger]]:
    prober, ledger = Prober(log, vantage("prober-1"), settings), Ledger()
    async with running(prober.run(), ledger.follow(log.client)):
        yield prober, ledger


def tcp(port: int, **more: object) -> TcpCheck:
    fields = {"name": "tcp", "port": port, "interval_seconds": 0.2, "timeout_seconds": 0.5, **more}
    return TcpCheck.model_validate(fields)


@pytest.fixture
def open_port() -> Iterator[int]:
    """Accept connections in a thread of its own, so that no test can starve it."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Nothing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


class Nothing(socketserver.BaseRequestHandler):
    """Accepts, and says nothing."""


async def test_a_prober_runs_the_checks_of_the_log_and_follows_changes(
    services: Services, open_port: int
) -> None:
    await services.configure("before", tcp(open_port))
    await services.configure("retired", tcp(open_port))
    await services.retire("retired")
    async with probing(services.log) as (prober, ledger):
        await until(lambda: len(ledger.of("before")) >= 3)
        await services.configure("later", tcp(open_port), tcp(open_port, name="other"))
        await until(lambda: len(ledger.of("later")) >= 4)
        await services.configure("before", tcp(free_port()))
        await until(lambda: not ledger.of("before")[-1].succeeded)
        await services.retire("before")
        await until(lambda: prober.checks == 2)
        assert ledger.of("retired") == []
    assert ledger.of("before")[0].succeeded
    assert "connection refused" in ledger.of("before")[-1].reason
    assert all(0 < reading.duration_seconds < 0.5 for reading in ledger.of("later"))
    assert {batch.vantage for batch in ledger.batches} == {vantage("prober-1")}


async def test_every_kind_of_check_gives_results(services: Services, open_port: int) -> None:
    checks: dict[str, Check] = {
        "http": HttpCheck(name="c", url=f"http://127.0.0.1:{open_port}/"),
        "tcp": tcp(open_port),
        "process": ProcessCheck(name="c", pid_file="/no/such/file"),
        "command": CommandCheck(name="c", command=("sh", "-c", "echo no; exit 2")),
    }
    for name, check in checks.items():
        await services.configure(name, check)
    async with probing(services.log) as (_, ledger):
        await until(lambda: set(ledger.readings) == set(checks))
    assert "closed the connection without an answer" in ledger.of("http")[0].reason
    assert ledger.of("tcp")[0].succeeded
    assert "can't be read" in ledger.of("process")[0].reason
    assert ledger.of("command")[0].reason == "critical: no"


async def test_a_requested_probe_is_a_burst_but_an_old_request_is_none(
    services: Services, open_port: int
) -> None:
    slow = tcp(open_port, interval_seconds=600, failure_threshold=4)
    await services.configure("web", slow)
    request = RequestProbe(reason="test")
    await services.commands.send(EntityAddress("service", "web"), request)
    async with probing(services.log) as (_, ledger):
        await until(lambda: len(ledger.of("web")) == 1)
        await services.commands.send(EntityAddress("service", "web"), request)
        await until(lambda: len(ledger.of("web")) == 5)
    times = [reading.time for reading in ledger.of("web")]
    assert (times[-1] - times[1]).total_seconds() < 1.0


async def test_results_seen_while_the_loop_lagged_are_marked(services: Services) -> None:
    slow = CommandCheck(
        name="c", command=("sleep", "0.3"), interval_seconds=0.4, timeout_seconds=1.0
    )
    await services.configure("web", slow)
    settings = ProberSettings(lag_seconds_max=0.3)
    async with probing(services.log, settings) as (_, ledger):
        while not any(batch.vantage.lagged for batch in ledger.batches):
            seen = len(ledger.batches)
            await until(lambda seen=seen: len(ledger.batches) > seen)  # type: ignore[misc]
            block(1.5)
        await until(lambda: not ledger.batches[-1].vantage.lagged)
    trusted = [batch for batch in ledger.batches if not batch.vantage.lagged]
    assert all(reading.succeeded for batch in trusted for _, _, reading in readings_of(batch, 0))


async def test_failures_beside_a_failing_canary_are_marked_from_the_first_on(
    services: Services,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=500) as server:
        port = server.getsockname()[1]
        await services.configure("web", tcp(port))
        settings = ProberSettings(canary=tcp(port), canary_interval_seconds=600)
        async with probing(services.log, settings) as (_, ledger):
            await until(lambda: ledger.of("web"))
            server.close()
            await until(lambda: sum(not seen.succeeded for seen in ledger.of("web")) >= 3)
    assert not ledger.batches[0].vantage.canary_failed
    for batch in ledger.batches:
        failed = any(not reading.succeeded for _, _, reading in readings_of(batch, 0))
        assert batch.vantage.canary_failed == failed


async def test_a_thousand_fast_checks_on_one_prober_keep_their_schedule(
    services: Services, open_port: int
) -> None:
    await asyncio.gather(
        *(
            services.configure(f"service-{number}", tcp(open_port, interval_seconds=2.0))
            for number in range(1000)
        )
    )
    async with probing(services.log) as (prober, ledger):
        await until(lambda: prober.checks == 1000)
        await until(lambda: count_of(ledger) >= 5000, 30)
    counts = [len(readings) for readings in ledger.readings.values()]
    assert len(counts) == 1000
    assert min(counts) >= 2
    assert max(counts) <= 8
    gaps = [
        (after.time - before.time).total_seconds()
        for readings in ledger.readings.values()
        for before, after in pairwise(readings[1:])
    ]
    assert statistics.median(gaps) == pytest.approx(2.0, abs=0.1)
    assert sum(gap > 3.0 for gap in gaps) < len(gaps) / 20
    assert max(gaps) < 6.0
    assert prober.writer.dropped_samples == 0


def count_of(ledger: Ledger) -> int:
    return sum(len(readings) for readings in ledger.readings.values())


async def test_a_prober_outlives_the_log(own_server: NatsServer, open_port: int) -> None:
    client = await connect_to(own_server)
    log = await fresh_log(client)
    services = Services(log)
    await services.start()
    await services.configure("web", tcp(open_port))
    async with probing(log) as (prober, ledger):
        await until(lambda: ledger.of("web"))
        own_server.kill()
        await until(lambda: prober.writer.waiting_batches > 2)
        own_server.start()
        await until(lambda: prober.writer.waiting_batches <= 1, 20)
        seen = prober.writer.sent_samples
        await until(lambda: prober.writer.sent_samples > seen, 20)
        await until(lambda: len(ledger.of("web")) * 2 >= seen, 40)
    assert prober.writer.dropped_samples == 0
    times = [reading.time for reading in ledger.of("web")]
    assert len(times) == len(set(times))
    await services.stop()
    await client.close()


async def test_a_canary_is_shared_by_all_who_ask_at_once_and_looks_after_they_ask() -> None:
    looks = 0
    answer = asyncio.Event()

    async def look() -> Observed:
        nonlocal looks
        looks += 1
        await answer.wait()
        return Observed(succeeded=looks != 2, duration_seconds=0.0, reason="gone")

    canary = Canary(look)
    first = asyncio.create_task(canary.confirm())
    await until(partial(lambda: looks == 1))
    later = [asyncio.create_task(canary.confirm()) for _ in range(50)]
    await asyncio.sleep(0)
    answer.set()
    await asyncio.gather(first, *later)
    assert looks == 2
    assert canary.is_failing
    assert canary.reason == "gone"


async def test_lag_is_seen_while_it_lasts_and_afterwards() -> None:
    lag = LoopLag(lag_seconds_max=0.1, interval_seconds=0.02)
    async with running(lag.run()):
        await asyncio.sleep(0)
        before = time.monotonic()
        block(0.3)
        after = time.monotonic()
        assert lag.lagged_between(before, after)
        await until(lambda: lag.last_seconds > 0.1)
        await until(lambda: lag.last_seconds < 0.1)
        assert lag.lagged_between(before, after)
        assert not lag.lagged_between(before - 5, before - 4)
        assert not lag.lagged_between(time.monotonic(), time.monotonic())
