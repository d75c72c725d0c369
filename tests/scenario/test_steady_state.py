"""A thousand healthy services cause no commit in a minute, and the heartbeats go by telemetry."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.log import Log
from events.server import connect
from events.subjects import TELEMETRY_STREAM
from standfast.paths import StateDirectory
from standfast.runtime import Situation
from tests.receiver import Receiver
from tests.standing import Standing

SERVICES = 1_000
QUIET_SECONDS = 60.0


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Standing]:
    with Receiver() as target:
        config = tmp_path / "standfast.yaml"
        check = f"{{kind: tcp, port: {target.port}, interval_seconds: 10, timeout_seconds: 5}}"
        services = "".join(f"  s{n:04}: {{checks: [{check}]}}\n" for n in range(SERVICES))
        config.write_text(f"platform: {{name: many}}\nservices:\n{services}")
        standing = Standing(tmp_path / "state", config)
        standing.start()
        yield standing
        standing.stop()


@pytest.mark.alone
@pytest.mark.timeout(300)
async def test_a_thousand_healthy_services_cause_no_commit_in_a_minute(many: Standing) -> None:
    await many.wait_ready(150)
    answer = await many.get("/api/services")
    assert len(answer["services"]) == SERVICES
    situation = Situation.read(StateDirectory(many.directory))
    client = await connect(situation.runtime.address, "test")
    log = await Log.open(client)
    head, told = await _settled(log), await _telemetry(log)
    await asyncio.sleep(QUIET_SECONDS)
    assert await log.head_sequence() == head
    assert await _telemetry(log) > told
    await client.close()


async def _settled(log: Log) -> int:
    """Wait until what the start itself decided is written."""
    while True:
        head = await log.head_sequence()
        await asyncio.sleep(3)
        if await log.head_sequence() == head:
            return head


async def _telemetry(log: Log) -> int:
    info = await log.client.jsm().stream_info(TELEMETRY_STREAM)
    return int(info.state.last_seq)
