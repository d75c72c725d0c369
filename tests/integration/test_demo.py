"""The demo on real servers: it starts, breaks, says so, and is whole again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from effects.recovery.running import look_at, members_of, read_record
from scenarios.demo import postgres
from scenarios.demo.platform import APP, CACHE, DATABASE, RECEIVER, DemoPlatform
from scenarios.demo.settings import DemoUnavailableError
from scenarios.loopback import HOST
from tests.integration.child_programs import ROOT, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SEEN_WITHIN_SECONDS = 3.0
ANSWERED_WITHIN_SECONDS = 2.0
COVERAGE = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[DemoPlatform]:
    platform = DemoPlatform(tmp_path / "demo", environment=COVERAGE)
    yield platform
    await platform.remove()


@pytest.fixture
async def running(demo: DemoPlatform) -> DemoPlatform:
    await demo.prepare()
    await demo.mend()
    await demo.wait_until_healthy()
    return demo


@asynccontextmanager
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession(timeout=ClientTimeout(total=10)) as session:
        yield session


async def get(url: str) -> tuple[int, Any]:
    async with client() as session, session.get(url) as response:
        return response.status, await response.json()


async def post(url: str, body: object, **headers: str) -> tuple[int, Any]:
    async with client() as session, session.post(url, json=body, headers=headers) as response:
        return response.status, await response.json()


async def seen_failing(demo: DemoPlatform, part: str) -> dict[str, Any]:
    """Ask for the application's health until it names the part; every answer must be prompt."""
    async with asyncio.timeout(SEEN_WITHIN_SECONDS):
        while True:
            asked = time.monotonic()
            status, body = await get(demo.url("app", "/health"))
            assert isinstance(body, dict)
            assert time.monotonic() - asked < ANSWERED_WITHIN_SECONDS
            if status == 503 and body["failing"] == [part]:
                return body


def pid_of(demo: DemoPlatform, service: str) -> int:
    child = demo.children.adopt(service)
    assert child is not None
    return child.pid


async def test_the_platform_starts_in_order_and_is_healthy(running: DemoPlatform) -> None:
    assert list(running.specs()) == [DATABASE, CACHE, APP, RECEIVER]
    assert await get(running.url("app", "/health")) == (
        200,
        {
            "healthy": True,
            "failing": [],
            "parts": {"database": {"healthy": True}, "cache": {"healthy": True}},
        },
    )


async def test_tasks_are_kept_and_readings_counted(running: DemoPlatform) -> None:
    tasks = running.url("app", "/api/tasks")
    assert await post(tasks, {"title": "mend the roof"}) == (
        201,
        {"id": 1, "title": "mend the roof"},
    )
    assert await get(tasks) == (
        200,
        {"tasks": [{"id": 1, "title": "mend the roof"}], "readings": 1},
    )
    assert (await get(tasks))[1]["readings"] == 2
    bodies: tuple[object, ...] = (
        {},
        [],
        {"title": ""},
        {"title": 1},
        {"title": "x" * 201},
        {"title": "\0"},
    )
    for bad in bodies:
        status, body = await post(tasks, bad)
        assert (status, "expected" in body["error"]) == (400, True)


@pytest.mark.parametrize(("part", "service"), [("database", DATABASE), ("cache", CACHE)])
async def test_the_application_names_a_lost_part_and_outlives_it(
    running: DemoPlatform, part: str, service: str
) -> None:
    application, lost = pid_of(running, APP), pid_of(running, service)
    await post(running.url("app", "/api/tasks"), {"title": "kept"})
    assert lost in running.break_service(part)
    body = await seen_failing(running, part)
    assert body["parts"][part]["error"].startswith(f"{part}: ")
    status, answer = await get(running.url("app", "/api/tasks"))
    assert (status, answer["failing"]) == (503, [part])
    await running.mend()
    await running.wait_until_healthy()
    assert pid_of(running, service) != lost
    assert pid_of(running, APP) == application
    status, answer = await get(running.url("app", "/api/tasks"))
    assert (status, [task["title"] for task in answer["tasks"]]) == (200, ["kept"])


@pytest.mark.parametrize(("part", "service"), [("database", DATABASE), ("cache", CACHE)])
async def test_a_part_that_hangs_is_named_in_time(
    running: DemoPlatform, part: str, service: str
) -> None:
    record = read_record(running.children.directory / f"{service}.json")
    assert record is not None
    frozen = members_of(record)
    for process in frozen:
        os.kill(process.pid, signal.SIGSTOP)
    await seen_failing(running, part)
    for process in frozen:
        os.kill(process.pid, signal.SIGCONT)
    await running.wait_until_healthy()


async def test_the_application_itself_breaks_and_is_mended(running: DemoPlatform) -> None:
    before = pid_of(running, APP)
    assert running.break_service("demo-app") == [before]
    with pytest.raises(ClientError):
        await get(running.url("app", "/health"))
    with pytest.raises(DemoUnavailableError, match="demo-app: ClientConnectorError"):
        await running.wait_until_healthy(timeout_seconds=0.2)
    await running.children.wait_exit(APP)
    with pytest.raises(DemoUnavailableError, match="demo-app does not run"):
        running.break_service("app")
    await running.mend()
    await running.wait_until_healthy()
    assert pid_of(running, APP) != before


async def test_an_unknown_name_is_answered_with_the_known_ones(demo: DemoPlatform) -> None:
    with pytest.raises(DemoUnavailableError, match=r"'disk' to break.*database, cache, app"):
        demo.break_service("disk")
    with pytest.raises(DemoUnavailableError, match="was not prepared"):
        demo.specs()


async def test_mending_what_runs_changes_nothing(running: DemoPlatform) -> None:
    assert all(child.is_adopted for child in await running.mend())


async def test_a_second_preparation_keeps_ports_passwords_and_data(running: DemoPlatform) -> None:
    before, data = running.settings(), running.specs()[DATABASE].command
    await post(running.url("app", "/api/tasks"), {"title": "kept"})
    await running.stop()
    await running.prepare()
    await running.mend()
    await running.wait_until_healthy()
    assert (running.settings(), running.specs()[DATABASE].command) == (before, data)
    assert (await get(running.url("app", "/api/tasks")))[1]["tasks"][0]["title"] == "kept"


async def test_secrets_are_for_the_owner_only(running: DemoPlatform) -> None:
    for name in ("demo.json", "cache.conf"):
        assert (running.directory / name).stat().st_mode & 0o077 == 0
    settings = running.settings()
    commands = " ".join(word for spec in running.specs().values() for word in spec.command)
    assert settings.database_password not in commands
    assert settings.cache_password not in commands


async def test_a_database_without_the_password_is_refused(running: DemoPlatform) -> None:
    import asyncpg  # noqa: PLC0415 - it warns at import where ssl is missing

    port = running.settings().ports.database
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(host=HOST, port=port, user="demo", password="x", database="postgres")


async def test_a_port_that_a_stranger_took_is_named(demo: DemoPlatform) -> None:
    await demo.prepare()
    with socket.socket() as stranger:
        stranger.bind((HOST, demo.settings().ports.cache))
        stranger.listen()
        expected = rf"port \d+ of demo-cache is taken by pid {os.getpid()} "
        with pytest.raises(DemoUnavailableError, match=expected):
            await demo.prepare()


async def test_the_receiver_keeps_every_delivery_in_its_own_ledger(running: DemoPlatform) -> None:
    hook = running.url("receiver", "/hook")
    await until(lambda: _listens(running.settings().ports.receiver))
    headers = {"Authorization": "Bearer hidden", "Idempotency-Key": "7"}
    assert await post(hook, {"status": "firing"}, **headers) == (200, {"number": 1})
    running.children.kill(RECEIVER)
    await running.children.wait_exit(RECEIVER)
    with running.ledger.open("a") as file:
        file.write('{"number": 2, "bo')
    await running.mend()
    await until(lambda: _listens(running.settings().ports.receiver))
    assert await post(hook, {"status": "resolved"}) == (200, {"number": 2})
    status, body = await get(running.url("receiver", "/ledger"))
    assert status == 200
    assert [entry["body"]["status"] for entry in body["entries"]] == ["firing", "resolved"]
    assert body["entries"][0]["headers"]["idempotency-key"] == "7"
    assert "hidden" not in running.ledger.read_text()
    later = await get(running.url("receiver", "/ledger?after=1"))
    assert [entry["number"] for entry in later[1]["entries"]] == [2]
    assert (await get(running.url("receiver", "/ledger?after=x")))[0] == 400


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def prepare_elsewhere(demo: DemoPlatform) -> subprocess.Popen[bytes]:
    code = f"""
import asyncio
from pathlib import Path
from scenarios.demo.platform import DemoPlatform
asyncio.run(DemoPlatform(Path({str(demo.directory)!r})).prepare())
"""
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)


@pytest.mark.parametrize("delay_seconds", [0.0, 0.05, 0.15])
async def test_a_preparation_killed_in_the_middle_is_repaired_by_the_next(
    demo: DemoPlatform, delay_seconds: float
) -> None:
    with prepare_elsewhere(demo) as preparation:
        await until(lambda: demo.children.adopt(postgres.INITDB))
        await asyncio.sleep(delay_seconds)
        preparation.kill()
    orphan = read_record(demo.children.directory / f"{postgres.INITDB}.json")
    assert orphan is not None
    place = postgres.locate(demo.directory, demo.settings().id)
    assert not (place.data / "PG_VERSION").exists()
    await demo.prepare()
    assert place.is_initialised
    assert not list(place.home.glob("making-*"))
    assert (seen := look_at(orphan.pid)) is None or seen.is_zombie


async def test_preparations_at_once_wait_for_each_other(demo: DemoPlatform) -> None:
    others = [DemoPlatform(demo.directory) for _ in range(3)]
    await asyncio.gather(*(other.prepare() for other in others))
    await demo.mend()
    await demo.wait_until_healthy()


async def test_the_configuration_watches_what_runs(running: DemoPlatform) -> None:
    configuration = json.loads(json.dumps(running.configuration()))
    services = configuration["services"]
    assert list(services) == [DATABASE, CACHE, APP, RECEIVER]
    assert services[APP]["depends_on"] == [DATABASE, CACHE]
    ready = services[DATABASE]["checks"][1]["command"]
    assert await _exit_code(ready) == 0
    running.break_service("database")
    assert await _exit_code(ready) == 2


async def _exit_code(command: list[str]) -> int:
    process = await asyncio.create_subprocess_exec(*command)
    return await process.wait()
