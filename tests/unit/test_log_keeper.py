"""A log is started anew where it hangs, or stores nothing for good, and where that helps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from effects.recovery.child import Child, Exited, Running
from standfast.emergency.diagnosis import Diagnosis
from standfast.emergency.records import Began, Outage
from standfast.paths import StateDirectory
from standfast.supervisor import log_keeper as module
from standfast.supervisor.log_keeper import PATIENCE, LogKeeper, StorageKeeper
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from effects.recovery.child import ChildSpec

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HANGS = Diagnosis("it hangs", hangs=True)
AWAY = Diagnosis("it can't be reached")


class World:
    """A log's process, its connection and what is found wrong with it."""

    def __init__(self) -> None:
        self.restarts = 0
        self.refuses = True
        self.diagnosis = HANGS
        self.look: Any = lambda _name: Running(pid=1, started_seconds=0)
        self.client = SimpleNamespace(is_connected=True)

    async def restart(self, spec: ChildSpec) -> Child:
        self.restarts += 1
        return Child(name=spec.name, pid=1, run="r", command=spec.command, is_adopted=False)

    def log(self) -> Any:
        return SimpleNamespace(client=self.client)

    async def says_refuses(self) -> bool:
        return self.refuses


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()

    async def diagnose(_log: object, _directory: object) -> Diagnosis:
        return found.diagnosis

    monkeypatch.setattr(module, "diagnose", diagnose)
    return found


def keeper(world: Any, path: Path) -> LogKeeper:
    return LogKeeper(StateDirectory(path), world, world.log)


def away(seconds: float, *, hangs: bool) -> Outage:
    since = NOW - timedelta(seconds=seconds)
    return Outage(began=Began(outage="o", since=since, reason="", services=1, hangs=hangs))


async def test_it_is_started_anew_when_it_hangs_for_long(world: World, tmp_path: Path) -> None:
    assert not await keeper(world, tmp_path).has_hung_long(None, NOW)
    assert not await keeper(world, tmp_path).has_hung_long(away(59, hangs=True), NOW)
    assert await keeper(world, tmp_path).has_hung_long(away(61, hangs=True), NOW)


async def test_it_is_looked_at_again_before_it_is_killed(world: World, tmp_path: Path) -> None:
    world.diagnosis = AWAY
    assert not await keeper(world, tmp_path).has_hung_long(away(61, hangs=True), NOW)
    world.diagnosis = HANGS
    world.look = lambda _name: Exited(code=1)
    assert not await keeper(world, tmp_path).has_hung_long(away(61, hangs=True), NOW)


async def test_what_was_away_first_and_hangs_since_is_started_anew(
    world: World, tmp_path: Path
) -> None:
    kept, outage = keeper(world, tmp_path), away(500, hangs=False)
    world.diagnosis = AWAY
    assert not await kept.has_hung_long(outage, NOW)
    world.diagnosis = HANGS
    assert not await kept.has_hung_long(outage, NOW)
    world.client.is_connected = False  # it gave up on a server that answers no ping
    assert not await kept.has_hung_long(outage, NOW + PATIENCE / 2)
    assert await kept.has_hung_long(outage, NOW + PATIENCE)


async def test_one_that_was_never_reached_may_be_reading(world: World, tmp_path: Path) -> None:
    kept, outage = keeper(world, tmp_path), away(500, hangs=False)
    world.client.is_connected = False
    assert not await kept.has_hung_long(outage, NOW)
    assert not await kept.has_hung_long(outage, NOW + 2 * PATIENCE)


@pytest.fixture
async def storing(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StorageKeeper:
    monkeypatch.setattr(module, "STORING_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(module, "PAUSE_SECONDS_FIRST", 0.02)
    directory = StateDirectory(tmp_path)
    directory.log.mkdir()
    return StorageKeeper(directory, world, world.log, world.says_refuses, 0.02)


async def test_one_that_stores_nothing_is_started_anew_ever_more_slowly(
    world: World, storing: StorageKeeper
) -> None:
    world.diagnosis = Diagnosis("its disk failed", restart_helps=True)
    keeping = asyncio.create_task(storing.keep())
    await until(lambda: world.restarts == 3)
    assert storing.pause_seconds >= 0.08
    world.refuses = False
    await until(lambda: storing.pause_seconds == 0.02)
    keeping.cancel()


async def test_one_that_is_at_its_limit_is_left_alone(world: World, storing: StorageKeeper) -> None:
    world.diagnosis = Diagnosis("it is full: it has reached its limit of 1.0 MiB")
    keeping = asyncio.create_task(storing.keep())
    await asyncio.sleep(0.2)
    assert world.restarts == 0
    world.diagnosis = Diagnosis("its disk failed", restart_helps=True)
    await until(lambda: world.restarts == 1)
    keeping.cancel()
