"""When the log takes nothing people are still told, and afterwards the log knows it, once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from events.log import Log
from events.subjects import STATE_STREAM
from standfast.emergency.spool import read_spool
from standfast.supervisor.layout import HOSTED
from tests.facts import comes_to, facts_of, head, since, types
from tests.fixtures.checked import HELD, CheckedRun
from tests.hurting import Service, configuration, connected, frozen, replaced
from tests.receiver import Receiver
from tests.standing import Standing
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


pytestmark = pytest.mark.timeout(360)
"""Longer than all that a test waits for; the first of them starts Standfast, the last ends it."""
WHOLE = ["service.went_down", "service.became_healthy"]
DOWN, LOG = "ServiceDown", "LogAway"
TOLD = ("world: delivered", "world: in time", "world: told without the log")
AWAY_SECONDS = 120.0
"""So long the log may be frozen or full, and what is due waits for it."""


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, Service]]:
    found = {"db": Service(), "app": Service(), "other": Service()}
    yield found
    for one in found.values():
        one.stop()


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver, services: dict[str, Service]
) -> Iterator[Standing]:
    folder = tmp_path_factory.mktemp("hurt")
    config = folder / "standfast.yaml"
    ports = {name: one.port for name, one in services.items()}
    config.write_text(configuration(receiver.url, ports, needs="db", apart="other"))
    found = Standing(folder / "state", config)
    found.start()
    yield found
    found.stop()


@pytest.fixture
async def standing(
    shared: Standing, receiver: Receiver, services: dict[str, Service]
) -> AsyncIterator[Standing]:
    """Give it with all services up, nobody told of anything, and leave it so."""
    await shared.wait_ready()
    await shared.wait_for("/api/services", all_healthy)
    receiver.ledger.clear()
    yield shared
    for one in services.values():
        one.start()
    await shared.wait_for("/api/services", all_healthy, 60)
    await until(lambda: spooled(shared) == [], 60)


def all_healthy(answer: Any) -> bool:
    return all(one["state"] == "healthy" for one in answer["services"])


def spooled(standing: Standing) -> list[Any]:
    return read_spool(standing.directory / "emergency" / "prober.spool")


async def test_a_service_that_is_killed_while_the_log_is_frozen_is_told_and_written_once(
    standing: Standing, receiver: Receiver, services: dict[str, Service]
) -> None:
    before = await head(standing)
    with frozen(standing.pid_of("log")):
        killed = services["db"].stop()
        services["app"].stop()
        began = time.monotonic()
        await until(lambda: receiver.told(DOWN) == ["firing"], 30)
        assert time.monotonic() - began < 30
        page = next(one for one in receiver.ledger if one["commonLabels"]["alertname"] == DOWN)
        assert page["commonLabels"]["service"] == "db"
        assert page["commonAnnotations"]["summary"] == "db is down, and because of it app"
        assert "refused" in page["commonAnnotations"]["description"]
        assert receiver.told(LOG) == ["firing"]
        doctor = " ".join((await standing.run("doctor", code=1)).split())
        assert f"kill -CONT {standing.pid_of('log')}" in doctor
        assert "its server does not answer: it is stopped, or hangs" in doctor
        await _says_what_it_does_not_know(standing)
    await until(lambda: receiver.told(LOG) == ["firing", "resolved"], 30)
    await standing.wait_for("/api/incidents?limit=10", lambda one: len(one["incidents"]) == 1)
    down = [one for one in await facts_of(standing, "service", "db") if one["sequence"] > before]
    assert types(down) == ["service.went_down"]
    first_failure = datetime.fromisoformat(down[0]["data"]["since"])
    assert killed - timedelta(seconds=1) < first_failure < killed + timedelta(seconds=3)
    services["db"].start()
    services["app"].start()
    await until(lambda: receiver.told(DOWN) == ["firing", "resolved"], 30)
    for name in ("db", "app"):
        await comes_to(standing, "service", name, before, WHOLE)
    platform = await since(standing, "platform", "hurt", before)
    assert platform.count("platform.log_was_away") == 1
    assert platform.count("platform.told_without_log") >= 2
    (incident,) = (await standing.get("/api/incidents"))["incidents"]
    told = (await standing.get(f"/api/incidents/{incident['id']}"))["told_without_log"]
    assert {(one["alert"], one["status"]) for one in told} == {("ServiceDown:db", "firing")}
    assert (await since(standing, "alert", "ServiceDown:db", before)).count("alert.heard") == 1
    assert receiver.told(DOWN) == ["firing", "resolved"]
    await standing.run("verify")


async def _says_what_it_does_not_know(standing: Standing) -> None:
    """No view is green: what is known to be down is down, of the rest nobody knows."""
    ended = await standing.run_to_end("status", "--json")
    status = json.loads(ended.output)
    assert (ended.returncode, status["critical_down"]) == (1, ["app", "db"])
    states = {one["name"]: one["state"] for one in status["services"]}
    assert states == {"db": "down", "app": "down", "other": "no data"}
    assert "the log takes nothing since" in await standing.run("status", code=1)
    async with httpx.AsyncClient(timeout=5.0) as client:
        health = await client.get(standing.url("/healthz"))
        assert (health.status_code, health.json()["checks"]["log"]) == (503, "does not answer")
        assert "the log takes nothing" in health.json()["checks"]["freshness"]
        page = (await client.get(standing.url("/"))).text
    assert "are down" in page
    assert "what you see is as of" in page
    assert "The log takes nothing since" in page


async def test_what_failed_and_recovered_without_the_log_is_told_and_written_whole(
    standing: Standing, receiver: Receiver, services: dict[str, Service]
) -> None:
    before = await head(standing)
    with frozen(standing.pid_of("log")):
        services["other"].stop()
        await until(lambda: receiver.told(DOWN) == ["firing"], 30)
        services["other"].start()
        await until(lambda: receiver.told(DOWN) == ["firing", "resolved"], 30)
    await until(lambda: receiver.told(LOG) == ["firing", "resolved"], 30)
    await until(lambda: spooled(standing) == [], 30)
    await standing.wait_for("/api/services", all_healthy)
    alert = "/api/alerts?limit=100"
    await standing.wait_for(alert, lambda one: _ended(one, "ServiceDown:other"))
    await comes_to(standing, "service", "other", before, WHOLE)
    heard = await since(standing, "alert", "ServiceDown:other", before)
    assert heard.count("alert.heard") == 2
    assert "effect.intended" not in heard
    assert receiver.told(DOWN) == ["firing", "resolved"]


def _ended(answer: Any, alert: str) -> bool:
    return any(one["id"] == alert and one["state"] == "resolved" for one in answer["alerts"])


async def test_a_log_that_is_away_for_a_moment_pages_nobody(
    standing: Standing, receiver: Receiver
) -> None:
    await replaced(standing, "log")
    with frozen(standing.pid_of("log")):
        await asyncio.sleep(5)
    await standing.wait_for("/healthz", bool, 30)
    assert receiver.ledger == []


async def test_killed_probers_and_watchdogs_neither_lose_nor_double_in_an_emergency(
    standing: Standing, receiver: Receiver, services: dict[str, Service]
) -> None:
    """What was under way when the watchdog was killed may be told again, under its key."""
    before = await head(standing)
    with frozen(standing.pid_of("log")):
        services["db"].stop()
        services["app"].stop()
        await until(lambda: receiver.told_once(DOWN) == ["firing"], 30)
        await replaced(standing, "watchdog")
        await replaced(standing, "prober")
        services["other"].stop()
        await until(lambda: receiver.told_once(DOWN) == ["firing", "firing"], 60)
        assert {one["commonLabels"].get("service", "") for one in receiver.ledger} == {
            "",
            "db",
            "other",
        }
        await replaced(standing, "watchdog")
        await replaced(standing, "prober")
        services["other"].start()
        await until(lambda: len(receiver.told_once(DOWN)) == 3, 60)
    await until(lambda: receiver.told(LOG) == ["firing", "resolved"], 60)
    services["db"].start()
    services["app"].start()
    await until(lambda: len(receiver.told_once(DOWN)) == 4, 60)
    for name in ("db", "app", "other"):
        await comes_to(standing, "service", name, before, WHOLE)
    await standing.run("verify")


async def test_a_full_log_is_told_and_afterwards_knows_what_happened(
    standing: Standing, receiver: Receiver, services: dict[str, Service]
) -> None:
    before, server = await head(standing), standing.pid_of("log")
    async with full_log(standing):
        services["db"].stop()
        services["app"].stop()
        await until(lambda: receiver.told(DOWN) == ["firing"], 30)
        page = next(one for one in receiver.ledger if one["commonLabels"]["alertname"] == LOG)
        assert "it has reached its limit" in page["commonAnnotations"]["summary"]
        await asyncio.sleep(30)  # hosts are refused for so long that a log that failed would end
        assert standing.pid_of("log") == server, "a restart would not have helped"
    await until(lambda: receiver.told(LOG) == ["firing", "resolved"], 60)
    services["db"].start()
    services["app"].start()
    await until(lambda: receiver.told(DOWN) == ["firing", "resolved"], 30)
    for name in ("db", "app"):
        await comes_to(standing, "service", name, before, WHOLE)
    await standing.run("verify")


async def test_a_full_log_is_told_in_a_calm_time_too(
    standing: Standing, receiver: Receiver
) -> None:
    """Nobody commits anything, so nobody is refused."""
    before = await head(standing)
    async with full_log(standing):
        await until(lambda: receiver.told(LOG) == ["firing"], 30)
        assert receiver.told(DOWN) == []
        doctor = " ".join((await standing.run("doctor", code=1)).split())
        assert "it takes no commits: it is full: it has reached its limit" in doctor
        assert "the log takes nothing since" in await standing.run("status")
        assert await head(standing) == before
        await asyncio.sleep(5)
        assert receiver.told(LOG) == ["firing"], "it is full until it is not"
    await until(lambda: receiver.told(LOG) == ["firing", "resolved"], 60)
    await until(lambda: spooled(standing) == [], 30)
    await standing.run("verify")
    assert receiver.told(LOG) == ["firing", "resolved"]
    assert (await since(standing, "platform", "hurt", before)).count("platform.log_was_away") == 1


@contextlib.asynccontextmanager
async def full_log(standing: Standing) -> AsyncIterator[None]:
    """Set the limit of the state stream to what it holds, for a while."""
    async with connected(standing) as client:
        manager = client.jsm()
        info = await manager.stream_info(STATE_STREAM)
        await manager.update_stream(info.config.evolve(max_bytes=info.state.bytes + 1))
        try:
            yield
        finally:
            await manager.update_stream(info.config.evolve(max_bytes=-1))


async def test_after_all_this_the_checker_is_content(
    standing: Standing, whole_run: CheckedRun
) -> None:
    async with connected(standing) as client:
        log = await Log.open(client)
        claims = (*HELD, *TOLD, "causes: followed")
        await whole_run.clean(log, *claims, hosts=HOSTED, late_seconds=AWAY_SECONDS)
