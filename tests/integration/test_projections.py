"""Projections on a real log and real databases: kept live, rebuilt, compared, quarantined."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack
import pytest
from sqlalchemy import Connection, func, select, text

from events.ids import new_id
from events.streams import LogIdentity
from events.subjects import PROJECTED_SUBJECT
from projections.catalogue import PROJECTIONS
from projections.compare import compare
from projections.database import AlreadyWrittenError, open_reader, sqlite_url
from projections.effect import EFFECTS
from projections.incident import TIMELINE
from projections.journal import HEADS, JOURNAL
from projections.positions import ERRORS
from projections.reading import Reading, projection_states
from projections.runner import Runner
from projections.service import SERVICE, SERVICES
from standfast.roles.projector import REBUILD_SUBJECT, Projector
from tests.database import rows
from tests.fixtures.web import eventually
from tests.history import Recorder
from tests.story import outage

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from events.log import Log

ROOT = Path(__file__).parents[2]
NAMES = tuple(projection.name for projection in PROJECTIONS)


@pytest.mark.usefixtures("recorder")
async def test_rows_say_what_the_log_says(log: Log, runner: Runner, url: str) -> None:
    await runner.catch_up()
    states = dict(rows(url, select(SERVICES.c.id, SERVICES.c.state)))
    assert states == dict.fromkeys(["demo-database", "demo-cache", "demo-app"], "healthy")
    order = (TIMELINE.c.sequence, TIMELINE.c.index, TIMELINE.c.part)
    lines = [line for (line,) in rows(url, select(TIMELINE.c.text).order_by(*order))]
    assert lines[0] == "First failed probe of demo-database: check tcp: connection refused"
    assert lines[-2:] == ["on-call is to be told: resolved", "Notice delivered: 200 OK"]
    told = rows(url, select(EFFECTS.c.state).where(EFFECTS.c.effect == "notify"))
    assert told == [("succeeded",), ("succeeded",)]
    assert rows(url, select(ERRORS)) == []
    assert await compare(log, runner.store.engine) == []


async def test_the_heads_of_all_chains_are_kept(
    log: Log, recorder: Recorder, runner: Runner, url: str
) -> None:
    await runner.catch_up()
    heads = {str(entity): (h.sequence, h.digest.hex()) for entity, h in recorder.heads.items()}
    kept = {entity: (sequence, digest) for entity, sequence, digest in rows(url, select(HEADS))}
    assert kept == heads
    assert runner.sequence == await log.head_sequence()


async def test_a_rebuild_gives_the_same_rows_and_follows_on(
    log: Log, recorder: Recorder, runner: Runner
) -> None:
    await runner.catch_up()
    told: list[tuple[int, int]] = []

    async def progress(done: int, total: int) -> None:
        told.append((done, total))

    position = await runner.rebuild(NAMES, progress)
    head = await log.head_sequence()
    assert position == log.position(head)
    assert told[-1] == (head, head)
    assert await compare(log, runner.store.engine) == []
    await outage(recorder, 2)
    await runner.catch_up()
    assert await compare(log, runner.store.engine) == []


async def test_one_projection_is_rebuilt_while_others_stay_behind(
    log: Log, recorder: Recorder, runner: Runner, url: str
) -> None:
    await runner.catch_up()
    await outage(recorder, 2)
    await runner.rebuild(["incident"])
    reading = Reading(url)
    with reading.moment() as connection:
        reached = {state.name: state.sequence for state in projection_states(connection)}
    reading.close()
    assert reached["incident"] == await log.head_sequence()
    assert reached["service"] == runner.sequence < reached["incident"]
    await runner.catch_up()
    assert await compare(log, runner.store.engine) == []


@pytest.mark.usefixtures("recorder")
async def test_a_changed_row_is_found_and_named(log: Log, runner: Runner) -> None:
    await runner.catch_up()
    with runner.store.engine.begin() as connection:
        connection.execute(text("UPDATE services SET state = 'down' WHERE id = 'demo-cache'"))
        connection.execute(text("DELETE FROM effects WHERE entity = 'recovery/0001'"))
        connection.execute(text("UPDATE chain_heads SET entity = 'x/y' WHERE entity LIKE 'rec%'"))
    found = {(d.table, d.key, d.what) for d in await compare(log, runner.store.engine)}
    assert ("services", ("demo-cache",), "state is 'down', not 'healthy'") in found
    assert ("effects", ("recovery/0001", 1), "the row is missing") in found
    assert ("chain_heads", ("x/y",), "the log does not give this row") in found
    assert len(found) == 4


@pytest.mark.usefixtures("runner")
async def test_a_second_writer_is_refused(log: Log, url: str) -> None:
    with pytest.raises(AlreadyWrittenError):
        await Runner(log, url).open()


@pytest.mark.usefixtures("recorder")
async def test_another_life_of_the_log_is_built_anew_by_itself(log: Log, url: str) -> None:
    runner = Runner(log, url)
    await runner.open()
    await runner.catch_up()
    await runner.close()
    log.identity = LogIdentity(log.identity.log_id, 2)
    runner = Runner(log, url)
    await runner.open()
    assert {held.position for held in runner.store.positions().values()} == {
        log.position(await log.head_sequence())
    }
    assert await compare(log, runner.store.engine) == []
    await runner.close()


@pytest.mark.usefixtures("recorder")
async def test_another_version_of_a_projection_is_built_anew_by_itself(log: Log, url: str) -> None:
    old = replace(SERVICE, version=0, project=lambda _rows, _envelope: ())
    runner = Runner(log, url, [old])
    await runner.open()
    await runner.catch_up()
    await runner.close()
    assert rows(url, select(SERVICES)) == []
    runner = Runner(log, url, [SERVICE])
    await runner.open()
    assert len(rows(url, select(SERVICES))) == 3
    await runner.close()


async def test_a_reader_never_sees_half_a_rebuild(
    recorder: Recorder, runner: Runner, url: str
) -> None:
    for number in range(2, 20):
        await outage(recorder, number)
    await runner.catch_up()
    whole = rows(url, select(func.count()).select_from(JOURNAL))
    seen: set[tuple[Any, ...]] = set()
    rebuilding = asyncio.create_task(runner.rebuild(NAMES))
    while not rebuilding.done():
        seen |= {tuple(r) for r in await asyncio.to_thread(_counted, url)}
        await asyncio.sleep(0.005)
    await rebuilding
    assert seen == {tuple(row) for row in whole}


def _counted(url: str) -> list[Any]:
    return rows(url, select(func.count()).select_from(JOURNAL))


@pytest.mark.usefixtures("recorder")
async def test_the_projector_tells_positions_and_rebuilds_on_request(log: Log, url: str) -> None:
    told: list[tuple[str, int, int]] = []

    async def note(message: Msg) -> None:
        told.append(tuple(msgpack.unpackb(message.data)))

    await log.client.subscribe(PROJECTED_SUBJECT, cb=note)
    projector = Projector(log, url)
    running = asyncio.create_task(projector.run())
    head = await log.head_sequence()
    expected = (log.identity.log_id, log.identity.generation, head)

    async def caught_up() -> bool:
        return expected in told

    await eventually(caught_up)
    answers = await _ask_for_rebuild(log, {"name": "incident"})
    assert answers[-1] == {"done": True, "sequence": head}
    assert answers[0]["sequence"] <= answers[0]["until"] == head
    assert (
        "there are service, incident" in (await _ask_for_rebuild(log, {"name": "x"}))[-1]["error"]
    )
    assert "error" in (await _ask_for_rebuild(log, {}))[-1]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    runner = Runner(log, url)
    await runner.open()  # the database was let go
    await runner.close()


async def _ask_for_rebuild(log: Log, content: dict[str, str]) -> list[dict[str, Any]]:
    inbox = f"_INBOX.{new_id()}"
    answers: list[dict[str, Any]] = []
    replies = await log.client.subscribe(inbox)
    await log.client.publish(REBUILD_SUBJECT, msgpack.packb(content), reply=inbox)
    while not answers or not answers[-1].keys() & {"done", "error"}:
        answers.append(msgpack.unpackb((await replies.next_msg(10)).data))
    await replies.unsubscribe()
    return answers


def test_nothing_can_be_written_through_a_reader(tmp_path: Path) -> None:
    engine = open_reader(sqlite_url(tmp_path / "x.db"))
    with engine.connect() as connection, pytest.raises(Exception, match="readonly"):
        _write(connection)
    engine.dispose()


def _write(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE x (y INTEGER)"))
