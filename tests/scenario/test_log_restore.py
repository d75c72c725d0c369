"""Backup, ten events, restore, ten others: everything is right again, and nobody does anything."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from events.log import Log
from events.server import connect
from events.storage import LogRestored
from standfast.keeping.aftermath import STORAGE_ADDRESS
from standfast.paths import StateDirectory
from standfast.runtime import Situation
from standfast.supervisor.layout import HOSTED
from tests.fixtures.checked import HELD, CheckedRun
from tests.hurting import Service
from tests.receiver import Receiver
from tests.standing import Standing
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

CLAIMS = (*HELD, "world: ended", "causes: orders", "causes: failures seen", "causes: followed")
AWAY_SECONDS = 120.0
"""So long the log may be away while it is restored, and what is due waits for it."""
QUICK = "interval_seconds: 0.3, timeout_seconds: 0.25, failure_threshold: 2, success_threshold: 2"


@dataclass
class Platform:
    """A Standfast that watches three services, and a receiver that it tells."""

    standing: Standing
    services: dict[str, Service]
    receiver: Receiver

    async def until_state(self, name: str, state: str) -> None:
        def is_so(answer: dict[str, list[dict[str, str]]]) -> bool:
            states = {one["name"]: one["state"] for one in answer["services"]}
            return states.get(name) == state

        await self.standing.wait_for("/api/services", is_so)

    async def fail_and_mend(self, name: str) -> None:
        """Let a service fail and come back, which makes more than ten events."""
        self.services[name].stop()
        await self.until_state(name, "down")
        self.services[name].start()
        await self.until_state(name, "healthy")

    async def quiet(self) -> None:
        """Wait until nothing fires, and nothing is on its way."""

        def is_quiet(answer: dict[str, list[dict[str, str]]]) -> bool:
            return all(one["state"] == "resolved" for one in answer["alerts"])

        await self.standing.wait_for("/api/alerts", is_quiet)

    @asynccontextmanager
    async def log(self) -> AsyncIterator[Log]:
        situation = Situation.read(StateDirectory(self.standing.directory))
        client = await connect(situation.runtime.address, "test")
        try:
            yield await Log.open(client)
        finally:
            await client.close()

    async def check(self, generation: int, run: CheckedRun) -> None:
        """Hold the log, the policies, the hosts and the projections against what must be true."""
        await self.quiet()
        async with self.log() as log:
            assert log.identity.generation == generation
            await _settled(log)
            await run.clean(log, *CLAIMS, hosts=HOSTED, late_seconds=AWAY_SECONDS)
        verified = await self.standing.json("verify")
        assert verified["ok"], verified
        assert verified["projections"]["compared"], verified


async def _settled(log: Log) -> None:
    """Wait until the log has not grown for a moment."""
    head, since = await log.head_sequence(), time.monotonic()
    while time.monotonic() - since < 1.5:
        await asyncio.sleep(0.1)
        if (now := await log.head_sequence()) != head:
            head, since = now, time.monotonic()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
async def platform(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Platform]:
    services = {name: Service() for name in ("front", "back", "side")}
    described = "\n".join(
        f"  {name}: {{checks: [{{kind: tcp, port: {one.port}, {QUICK}}}]}}"
        for name, one in services.items()
    )
    config = tmp_path / "standfast.yaml"
    config.write_text(
        f"""
platform: {{name: own}}
services:
{described}
receivers:
  team: {{type: webhook, url: "{receiver.url}"}}
alerting: {{receivers: [team]}}
correlation: {{settle_seconds: 0.5}}
"""
    )
    standing = Standing(tmp_path / "state", config)
    standing.start()
    try:
        await standing.wait_ready()
        yield Platform(standing, services, receiver)
    finally:
        standing.stop()
        for one in services.values():
            one.stop()


async def test_everything_begins_anew_by_itself_while_it_runs(
    platform: Platform, checked_run: CheckedRun, tmp_path: Path
) -> None:
    standing, file = platform.standing, str(tmp_path / "log.backup")
    await platform.fail_and_mend("front")
    await platform.quiet()
    made = await standing.json("log", "backup", file)
    await platform.fail_and_mend("back")  # the ten events that are given up
    platform.services["side"].stop()
    await platform.until_state("side", "down")
    await until(lambda: platform.receiver.told_of("side") == ["firing"], 20)
    async with platform.log() as log:
        assert await log.head_sequence() >= made["head"] + 10

    began = time.monotonic()
    restored = await standing.json("log", "restore", file, "--yes")
    assert restored["generation"] == 2
    assert restored["given_up"] >= 10
    await platform.until_state("side", "down")  # it still is, and is reported again
    twice = ["firing", "firing"]  # an episode of its own is told
    await until(lambda: platform.receiver.told_of("side") == twice, 30)
    took = time.monotonic() - began
    await until(lambda: "is in force again" in standing.output, 30)
    platform.services["side"].start()
    await platform.until_state("side", "healthy")
    await platform.fail_and_mend("back")  # ten others
    await platform.check(2, checked_run)
    assert took < 45, "seconds, on a busy machine too"
    assert platform.receiver.told("NoData") == []
    async with platform.log() as log:
        fact = await log.last_commit(STORAGE_ADDRESS)
        assert fact is not None
        assert fact.position.sequence > made["head"]
        (envelope,) = fact.envelopes()
        assert isinstance(envelope.event, LogRestored)


async def test_everything_begins_anew_by_itself_when_it_is_started_again(
    platform: Platform, checked_run: CheckedRun, tmp_path: Path
) -> None:
    standing, file = platform.standing, str(tmp_path / "log.backup")
    platform.services["front"].stop()
    await platform.until_state("front", "down")  # it fires in the backup
    await standing.json("log", "backup", file)
    platform.services["front"].start()
    await platform.until_state("front", "healthy")
    await platform.fail_and_mend("back")
    await platform.quiet()
    standing.stop()
    restored = await standing.json("log", "restore", file, "--yes")
    assert restored["generation"] == 2
    verified = await standing.json("verify")
    assert verified["ok"], verified
    assert sum(one["commits"] for one in verified["given_up"]) == restored["given_up"]
    standing.start()
    await standing.wait_ready()
    await platform.until_state("front", "healthy")
    await platform.fail_and_mend("side")
    await platform.check(2, checked_run)
    statuses = platform.receiver.statuses()
    assert statuses[-1] == "resolved", statuses
