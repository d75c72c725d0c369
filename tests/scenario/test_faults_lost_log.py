"""The log loses its end: what is gone is named, and everybody goes on from what the log says."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from events.incident import IncidentOpened
from events.log import Log, LogLostEndError
from events.server import connect
from events.streams import StreamLimits, ensure_streams
from events.subjects import STATE_STREAM
from scenarios.checker.report import Report
from tests.fixtures.checked import HELD, CheckedRun
from tests.fixtures.nats import NatsServer
from tests.flow import NAMES, broken, check, configure, flowing, hosted, lost_of
from tests.hosting import PLACED, Hosting, states_of

SLOWLY = 30.0
"""Commands a second: the checker keeps only so many findings."""


@dataclass
class Losing:
    """A server whose files may be cut or put back, and its log."""

    server: NatsServer
    log: Log
    hosting: Hosting

    @property
    def data(self) -> Path:
        return self.server.directory / "data"

    def cut(self, index: str) -> None:
        """Cut off a third of the newest block; the server's index of it is another file."""
        (messages,) = self.data.glob(f"jetstream/*/streams/{STATE_STREAM}/msgs")
        block = max(messages.glob("*.blk"), key=lambda path: int(path.stem))
        os.truncate(block, block.stat().st_size * 2 // 3)
        if index == "gone":
            (messages / "index.db").unlink()


@pytest.fixture
async def losing(own_server: NatsServer) -> AsyncIterator[Losing]:
    client = await connect(own_server.address, "test")
    await ensure_streams(client, StreamLimits())
    log = await Log.open(client)
    hosting = Hosting(own_server.address, log)
    await configure(hosting)
    yield Losing(own_server, log, hosting)
    await hosting.stop()
    await client.close()


@pytest.mark.parametrize("index", ["kept", "gone"])
async def test_what_a_truncated_block_held_is_named_and_the_host_goes_on_from_the_log(
    losing: Losing, tmp_path: Path, index: str
) -> None:
    async with hosted(losing.server.address, tmp_path):
        async with flowing(losing.server.address, tmp_path, "before", per_second=SLOWLY) as flow:
            await flow.goes_on(90)
        losing.server.stop()
        losing.cut(index)
        losing.server.start()
        lost = await lost_of(losing.log, tmp_path)
        assert lost
        async with flowing(losing.server.address, tmp_path, "after", per_second=SLOWLY) as flow:
            await flow.goes_on(90)
        report = await check(losing.log, tmp_path)
    assert await lost_of(losing.log, tmp_path) == lost
    _names_what_is_lost(report, lost, has_gap=index == "kept")


async def test_what_is_newer_than_a_backup_put_in_place_is_named_and_the_rest_goes_on(
    losing: Losing, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    address = losing.server.address
    async with (
        hosted(address, tmp_path),
        flowing(address, tmp_path, "before", per_second=SLOWLY) as flow,
    ):
        await flow.goes_on(60)
        losing.server.stop()
        shutil.copytree(losing.data, backup)
        losing.server.start()
        await flow.goes_on(60)
    losing.server.stop()
    shutil.rmtree(losing.data)
    shutil.copytree(backup, losing.data)
    losing.server.start()
    lost = await lost_of(losing.log, tmp_path)
    assert len(lost) >= 50
    async with hosted(address, tmp_path):
        async with flowing(address, tmp_path, "after") as flow:
            await flow.goes_on(60)
        report = await check(losing.log, tmp_path)
    _names_what_is_lost(report, lost, has_gap=False)
    rebuilt = states_of(await losing.hosting.start())
    folded = await losing.hosting.folded()
    assert {address.id for address in rebuilt if address.kind == "service"} == set(NAMES)
    assert {one: rebuilt[one][0] for one in rebuilt} == {one: folded[one] for one in rebuilt}


def _names_what_is_lost(report: Report, lost: set[str], *, has_gap: bool) -> None:
    """The checker names each lost command, and the gap where there is one, and nothing else."""
    found = broken(report)
    assert {one.invariant for one in found} == {"acknowledged"}
    commands = {one.what.split()[1] for one in found if one.what.startswith("command ")}
    gaps = [one for one in found if "does not hold" in one.what]
    assert commands == lost
    assert len(gaps) == int(has_gap)
    assert len(found) == len(lost) + len(gaps)


@pytest.mark.parametrize("index", ["kept", "gone"])
@pytest.mark.parametrize("host", ["stays", "starts anew"])
async def test_policies_see_what_happens_after_the_log_lost_its_end(
    losing: Losing, checked_run: CheckedRun, index: str, host: str
) -> None:
    hosting = losing.hosting
    await hosting.place(h1=PLACED)
    running = await hosting.start()
    await hosting.platform(dict.fromkeys(NAMES, ()))
    for verdict in ("healthy", "down", "healthy") * 3:
        for name in NAMES:
            await hosting.report(name, verdict)
        await hosting.quiet(0.3)
    losing.server.stop()
    losing.cut(index)
    losing.server.start()
    if host == "starts anew":
        await hosting.kill(running)
        await hosting.start()
    succeeding = asyncio.create_task(_succeed_who_ends(hosting))
    await hosting.report("s0", "healthy")
    await hosting.quiet()
    opened = len(await hosting.events(IncidentOpened))
    await hosting.report("s0", "down")
    await hosting.until_event(IncidentOpened, count=opened + 1)
    await hosting.quiet()
    report = await checked_run.report(losing.log, HELD, ("h1",))
    gaps = [one for one in broken(report) if "does not hold" in one.what]
    assert broken(report) == gaps
    assert len(gaps) == int(index == "kept")
    succeeding.cancel()
    await asyncio.wait([succeeding])


async def _succeed_who_ends(hosting: Hosting) -> None:
    """A host that finds that the log lost what it knew ends, and another takes its place."""
    while True:
        (task,) = [task for task, _ in hosting.running.values()]
        with pytest.raises(LogLostEndError):
            await task
        await hosting.stop()
        await hosting.start()
