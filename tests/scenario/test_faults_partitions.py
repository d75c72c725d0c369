"""Three NATS servers, and partitions that go one way: no accepted command is lost or doubled."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from events.log import Log
from events.server import connect
from events.streams import StreamLimits, ensure_streams
from events.subjects import STATE_STREAM
from tests.cluster import Cluster, Member
from tests.fixtures.web import eventually
from tests.flow import broken, check, configure, flowing, hosted
from tests.hosting import Hosting

BLOCKED_SECONDS = 4.0


@dataclass
class Replicated:
    """A cluster with a log of three replicas, and a host connected to one of its members."""

    cluster: Cluster
    log: Log

    async def leader(self) -> Member:
        info = await self.log.client.jsm().stream_info(STATE_STREAM)
        assert info.cluster is not None
        return next(one for one in self.cluster.members if one.name == info.cluster.leader)


@pytest.fixture
async def replicated(tmp_path: Path) -> AsyncIterator[Replicated]:
    cluster = await Cluster.start(tmp_path)
    client = await connect(cluster.members[0].address, "test")
    await ensure_streams(client, StreamLimits(replicas=3))
    log = await Log.open(client)
    await configure(Hosting(cluster.members[0].address, log))
    yield Replicated(cluster, log)
    await client.close()
    await cluster.stop()


@pytest.mark.parametrize(
    "who", ["leader to one", "one to leader", "leader to all", "all to leader"]
)
async def test_a_one_way_partition_loses_no_accepted_command(
    replicated: Replicated, tmp_path: Path, who: str
) -> None:
    members = replicated.cluster.members
    async with hosted(members[1].address, tmp_path):
        async with flowing(members[2].address, tmp_path) as flow:
            await flow.goes_on()
            leader = await replicated.leader()
            others = [one for one in members if one is not leader]
            for other in others[: 2 if "all" in who else 1]:
                pair = (leader, other) if who.startswith("leader") else (other, leader)
                replicated.cluster.block(*pair)
            await asyncio.sleep(BLOCKED_SECONDS)
            assert flow.worker.log.in_flight.count > 0 or "all" not in who
            assert replicated.cluster.heal() > 0, "the partition held something"
            await flow.goes_on(timeout_seconds=60)
        await _replicas_agree(replicated)
        report = await check(replicated.log, tmp_path)
    assert report.is_clean, broken(report)


async def _replicas_agree(replicated: Replicated) -> None:
    async def agree() -> bool:
        info = await replicated.log.client.jsm().stream_info(STATE_STREAM)
        assert info.cluster is not None
        return all(one.current for one in info.cluster.replicas or [])

    await eventually(agree, 60)
