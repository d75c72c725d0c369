"""The wall clock jumps an hour forward and back: told once, in order, and commands flow on."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from actors.alert import FireAlert
from events.alert import AlertEscalated, Escalation
from events.effect import EffectIntended, EffectOutcomeUnknown, EffectSucceeded
from events.host import HostClockStepped
from events.log import Log
from events.server import connect
from events.streams import StreamLimits, ensure_streams
from tests.fixtures.nats import NatsServer
from tests.flow import broken, check, configure, flowing, hosted
from tests.hosting import SERVICES, Hosting

HOUR = 3600.0
INSISTENT = FireAlert(
    labels={"alertname": "Test", "severity": "info"},
    severity="info",
    receivers=("ops",),
    escalation=Escalation(wait_seconds=HOUR / 2, repeats_max=3),
)


@pytest.fixture
def library() -> Path:
    """Give the library that lies about the time."""
    found = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if found is None:
        pytest.skip("needs libfaketime")
    return found


@pytest.fixture
async def hosting(own_server: NatsServer) -> AsyncIterator[Hosting]:
    client = await connect(own_server.address, "test")
    await ensure_streams(client, StreamLimits())
    hosting = Hosting(own_server.address, await Log.open(client))
    await configure(hosting)
    await hosting.place(h1=(*SERVICES, "alert"))
    yield hosting
    await hosting.stop()
    await client.close()


async def test_a_clock_that_jumps_an_hour_and_back_tells_once_and_loses_nothing(
    hosting: Hosting, library: Path, tmp_path: Path
) -> None:
    offset = tmp_path / "offset"
    offset.write_text("+0")
    lies = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    executor = await hosting.executor()
    address = hosting.address
    async with hosted(address, tmp_path, **lies):
        async with flowing(address, tmp_path) as flow:
            assert (await hosting.send("alert/a", INSISTENT)).accepted
            await flow.goes_on()
            offset.write_text(f"+{HOUR:.0f}")
            await hosting.until_event(HostClockStepped, matching=partial(_is_by, HOUR))
            await hosting.until_event(AlertEscalated)
            await flow.goes_on(100)
            offset.write_text("+0")
            await hosting.until_event(HostClockStepped, matching=partial(_is_by, -HOUR))
            await flow.goes_on(100)
        report = await check(hosting.log, tmp_path)
    assert report.is_clean, broken(report)
    assert executor.told() == ["a firing", "a firing"]
    assert len(await hosting.events(AlertEscalated)) == 1
    intended, succeeded = (
        await hosting.events(EffectIntended),
        await hosting.events(EffectSucceeded),
    )
    assert [one.intent.number for one in intended] == [one.number for one in succeeded] == [1, 2]
    assert await hosting.events(EffectOutcomeUnknown) == []
    await hosting.check_chains()


def _is_by(seconds: float, event: HostClockStepped) -> bool:
    return abs(event.offset_seconds - seconds) < 60
