"""When the disk of all that Standfast keeps is full, people are told, and it mends itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from events.log import Log
from events.server import connect
from events.streams import StreamLimits, ensure_streams
from standfast.paths import StateDirectory
from standfast.runtime import Situation
from standfast.supervisor.layout import HOSTED
from tests.fixtures.checked import HELD, CheckedRun
from tests.fixtures.nats import NatsServer
from tests.hurting import Service, configuration
from tests.receiver import Receiver
from tests.small_disk import SharedDisk
from tests.standing import Standing
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

AWAY_SECONDS = 180.0
"""So long the log may take nothing, and what is due waits for it."""
SMALL = StreamLimits(telemetry_bytes_max=8 << 20, checkpoint_bytes_max=8 << 20)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SharedDisk]:
    place = tmp_path / "disk"
    place.mkdir()
    found = SharedDisk(place)
    yield found
    found.end()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    yield found
    found.stop()


@pytest.fixture
async def standing(
    tmp_path: Path, disk: SharedDisk, receiver: Receiver, service: Service
) -> AsyncIterator[Standing]:
    config = tmp_path / "standfast.yaml"
    config.write_text(configuration(receiver.url, {"db": service.port}))
    state = disk.place / "state"
    await _make_small_log(state / "log")
    found = Standing(state, config)
    found.start()
    await found.wait_ready()
    yield found
    found.stop()


async def _make_small_log(directory: Path) -> None:
    """Make the streams of a log that fits on the disk."""
    server = NatsServer(directory)
    server.start()
    try:
        client = await connect(server.address, "test")
        await ensure_streams(client, SMALL)
        await client.close()
    finally:
        server.stop()


@pytest.mark.timeout(300)
async def test_a_full_disk_is_told_and_when_there_is_room_all_goes_on_by_itself(
    standing: Standing,
    receiver: Receiver,
    service: Service,
    disk: SharedDisk,
    checked_run: CheckedRun,
) -> None:
    disk.fill()
    service.stop()
    await until(lambda: receiver.told("ServiceDown") == ["firing"], 30)
    await until(lambda: receiver.told("LogAway") == ["firing"], 30)
    page = next(one for one in receiver.ledger if one["commonLabels"]["alertname"] == "LogAway")
    assert "its disk is full" in page["commonAnnotations"]["summary"]
    disk.free()
    await until(lambda: "resolved" in receiver.told("LogAway"), 120)
    service.start()
    await until(lambda: receiver.told("ServiceDown") == ["firing", "resolved"], 60)
    facts = await standing.get("/api/events?kind=service&id=db&limit=100")
    went_down = [one for one in facts["events"] if one["type"].endswith("went_down.v1")]
    assert len(went_down) == 1
    await standing.wait_for("/healthz", bool, 30)
    await standing.run("verify")
    situation = Situation.read(StateDirectory(standing.directory))
    client = await connect(situation.runtime.address, "test")
    claims = (*HELD, "world: ended", "causes: orders", "causes: followed")
    log = await Log.open(client)
    await checked_run.clean(log, *claims, hosts=HOSTED, late_seconds=AWAY_SECONDS)
    await client.close()
