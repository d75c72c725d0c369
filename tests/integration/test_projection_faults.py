"""What goes wrong with one event, or in the middle of a rebuild, hits nothing else."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from events.address import EntityAddress
from events.service import ServiceRetired, ServiceWentDown
from events.subjects import state_subject
from projections.beside import beside_path
from projections.catalogue import PROJECTIONS
from projections.compare import compare
from projections.journal import HEADS, JOURNAL
from projections.positions import ERRORS
from projections.reading import Reading, faults
from projections.runner import Runner
from projections.service import SERVICE, SERVICES
from tests.database import rows
from tests.history import Recorder
from tests.story import outage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.base import Envelope
    from events.log import Log
    from projections.base import Change, Row, Rows
    from tests.fixtures.nats import NatsServer

ODD = state_subject(EntityAddress("service", "odd"))
ROOT = Path(__file__).parents[2]
NAMES = tuple(projection.name for projection in PROJECTIONS)


def failing_on_retired(before: Rows, envelope: Envelope) -> Iterator[Change]:
    assert not isinstance(envelope.event, ServiceRetired), "cannot take in a retired service"
    assert SERVICE.project is not None
    yield from SERVICE.project(before, envelope)


async def test_an_event_that_one_projection_cannot_take_in_stops_neither_it_nor_others(
    log: Log, recorder: Recorder, url: str
) -> None:
    retired = ServiceRetired(reason="gone", configuration_hash="x")
    await recorder.append("service/demo-cache", retired)
    await recorder.append("service/demo-app", retired, retired)
    await outage(recorder, 2)
    broken = replace(SERVICE, project=failing_on_retired)
    kept = [broken, *(p for p in PROJECTIONS if p.name != "service")]
    runner = Runner(log, url, kept)
    await runner.open()
    await runner.catch_up()
    states = dict(rows(url, select(SERVICES.c.id, SERVICES.c.state)))
    assert states["demo-cache"] == "healthy"
    errors = rows(url, select(ERRORS).order_by(ERRORS.c.sequence, ERRORS.c.index))
    assert [(error.projection, error.entity, error.index) for error in errors] == [
        ("service", "service/demo-cache", 0),
        ("service", "service/demo-app", 0),
        ("service", "service/demo-app", 1),
    ]
    assert errors[0].error.startswith("AssertionError: cannot take in a retired service")
    assert await compare(log, runner.store.engine, kept) == []
    await runner.close()


def refusing_database(before: Rows, envelope: Envelope) -> Iterator[Change]:
    """A row that every database refuses, for one event in the middle of a transaction."""
    assert SERVICE.project is not None
    for table, row in SERVICE.project(before, envelope):
        refused: Row = {**row, "title": None}
        yield table, refused if isinstance(envelope.event, ServiceWentDown) else row


@pytest.mark.usefixtures("recorder")
async def test_a_row_that_the_database_refuses_is_left_out_alone(log: Log, url: str) -> None:
    runner = Runner(log, url, [replace(SERVICE, project=refusing_database)])
    await runner.open()
    await runner.catch_up()
    assert len(rows(url, select(SERVICES))) == 3
    errors = rows(url, select(ERRORS))
    assert {error.entity for error in errors} == {"service/demo-database", "service/demo-app"}
    assert all("IntegrityError" in error.error for error in errors)
    await runner.close()


async def test_an_unreadable_commit_is_shown_and_the_rest_goes_on(
    log: Log, recorder: Recorder, runner: Runner, url: str
) -> None:
    acknowledged = await log.client.jetstream().publish(ODD, b"\x00 no commit")
    await outage(recorder, 2)
    await runner.catch_up()
    reading = Reading(url)
    with reading.moment() as connection:
        found = faults(connection)
        assert {fault["sequence"] for fault in found} == {acknowledged.seq}
        assert {fault["projection"] for fault in found} == set(NAMES)
    reading.close()
    assert runner.sequence == await log.head_sequence()
    assert "service/odd" in {entity for entity, *_ in rows(url, select(HEADS))}
    assert await compare(log, runner.store.engine) == []


REBUILDER = """
import asyncio, os, signal, sys
from events.log import Log
from events.server import ServerAddress, connect
from projections.runner import Runner

async def main(server, token, url):
    log = await Log.open(await connect(ServerAddress(server, token), "rebuilder"))
    runner = Runner(log, url)
    await runner.open()
    async def killed(done, total):
        if done >= total // 2:
            os.kill(os.getpid(), signal.SIGKILL)
    await runner.rebuild([p.name for p in runner.store.projections], killed)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_rebuild_killed_half_way_leaves_the_live_rows_whole(
    log: Log, recorder: Recorder, url: str, nats_server: NatsServer
) -> None:
    for number in range(2, 60):
        await outage(recorder, number)
    runner = Runner(log, url)
    await runner.open()
    await runner.catch_up()
    await runner.close()
    before = rows(url, select(JOURNAL))
    address = nats_server.address
    command = [sys.executable, "-c", REBUILDER, address.url, address.token, url]
    killed = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, timeout=60, check=False)
    assert killed.returncode == -9
    assert rows(url, select(JOURNAL)) == before
    if url.startswith("sqlite"):
        assert beside_path(Path(url.removeprefix("sqlite:///"))).exists()
    runner = Runner(log, url)
    await runner.open()
    if url.startswith("sqlite"):
        assert not beside_path(Path(url.removeprefix("sqlite:///"))).exists()
    assert await compare(log, runner.store.engine) == []
    await runner.close()
