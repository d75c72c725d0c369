"""Who holds a place of a life of the log that was given up does nothing for it, and begins anew."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from nats.errors import NoRespondersError

from actors.runtime.commands import CommandClient, NoAnswerError, Outcome
from actors.runtime.handing import encode_errand
from actors.service import RequestProbe
from events.address import EntityAddress
from events.effect import EffectIntended
from events.identity import LogIdentity
from events.log import Log
from events.state_stream import delete_state_stream, state_streams
from events.streams import StreamLimits
from events.subjects import executor_subject
from projections.compare import compare
from projections.runner import Runner
from standfast.keeping.making import make_backup
from standfast.keeping.restoring import Restore
from standfast.keeping.sources import BackupSource
from tests.fixtures.checked import HELD
from tests.fixtures.nats import NatsServer, connect_to, fresh_log
from tests.hosting import Hosting
from tests.integration.effect_world import World, a_world, an_executor, eventually
from tests.integration.test_executor import a_command, errand_of, lines_of
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from actors.runtime.handing import Errand
    from events.base import Event
    from tests.fixtures.checked import CheckedRun


def quietly(_what: str, _done: float, _total: float) -> None:
    """Tell nobody."""


async def restored(log: Log, file: Path) -> Log:
    """Restore a backup beside whoever is connected, and open what it made."""
    source, folder = BackupSource(file), file.parent / "given-up"
    await Restore(log.client, source, StreamLimits(), 0, folder, quietly).run()
    return await Log.open(log.client)


@pytest.fixture
async def own_log(own_server: NatsServer) -> AsyncIterator[Log]:
    client = await connect_to(own_server)
    yield await fresh_log(client)
    await client.close()


async def test_an_effect_wished_in_a_life_that_was_given_up_is_not_begun_and_a_namesake_is(
    own_log: Log, own_server: NatsServer, tmp_path: Path
) -> None:
    file, ledger = tmp_path / "log.backup", tmp_path / "ledger"
    async with a_world(own_log) as world:
        await world.configure("db", **a_command(f"echo ran >> {ledger}"))
        await make_backup(own_log, file, quietly)
        entity = await world.recover("db", "command.run")
        with an_executor(own_server, tmp_path):
            await world.end_of(entity)
        errand = await errand_of(world, entity)
    assert lines_of(ledger) == ["ran"]
    log = await restored(own_log, file)
    subject = executor_subject("executor")
    with an_executor(own_server, tmp_path):
        with pytest.raises(TimeoutError):
            await handed(log, subject, errand)
        namesake = replace(errand, generation=2)
        answer = await log.client.request(subject, encode_errand(namesake), 5.0)
        assert answer.data == b"accepted"
        await until(lambda: lines_of(ledger) == ["ran", "ran"])


async def handed(log: Log, subject: str, errand: Errand) -> bytes:
    """Hand an errand to an executor once it listens; gives its answer. Raises `TimeoutError`."""
    while True:
        try:
            return (await log.client.request(subject, encode_errand(errand), 1.0)).data
        except NoRespondersError:
            await asyncio.sleep(0.05)


async def test_an_end_that_the_backup_does_not_know_is_reported_again_and_nothing_done_twice(
    own_log: Log, own_server: NatsServer, tmp_path: Path, checked_run: CheckedRun
) -> None:
    file = tmp_path / "log.backup"
    ledger = checked_run.directory / "ledger-command.jsonl"
    async with a_world(own_log) as world:
        await world.configure("db", **a_command(checked_run.entry("db")))
        entity = await world.recover("db", "command.run")
        await eventually(lambda: wishes_of(world, entity))
        await make_backup(own_log, file, quietly)
        with an_executor(own_server, tmp_path):
            await world.end_of(entity)
    assert len(lines_of(ledger)) == 1
    async with a_world(await restored(own_log, file)) as world:
        assert await world.ends(entity) == []
        with an_executor(own_server, tmp_path):
            await world.end_of(entity)
        await checked_run.clean(world.log, *HELD, "world: ended", hosts=("one",))
    assert len(lines_of(ledger)) == 1


async def wishes_of(world: World, entity: EntityAddress) -> list[Event]:
    return [one for one in await world.events(entity) if isinstance(one, EffectIntended)]


async def test_a_command_of_another_life_of_the_log_is_not_carried_out(
    hosting: Hosting, checked_run: CheckedRun
) -> None:
    await hosting.place(h1=("service",))
    await hosting.start()
    await hosting.configure("s")
    address = EntityAddress("service", "s")
    for generation, is_heard in ((1, True), (2, False)):
        sender = CommandClient(
            hosting.log.client, principal="person:x", source="/test", generation=generation
        )
        try:
            sent = sender.send(address, RequestProbe(reason="x"), patience_seconds=1)
            assert ((await sent).outcome is Outcome.DONE) is is_heard
        except NoAnswerError:
            assert not is_heard
    await checked_run.clean(hosting.log, *HELD, hosts=("h1",))


@pytest.mark.parametrize(("shared", "is_kept"), [(0, True), (-1, False)])
async def test_rows_of_what_is_shared_stay_and_of_anything_more_are_built_anew(
    hosting: Hosting, tmp_path: Path, shared: int, is_kept: bool
) -> None:
    await hosting.place(h1=("service",))
    host = await hosting.start()
    await hosting.configure("s")
    await hosting.kill(host)
    log = hosting.log
    path = tmp_path / "projections.db"
    url = f"sqlite:///{path}"
    runner = Runner(log, url)
    await runner.open()
    await runner.catch_up()
    await runner.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE services SET title = 'marked'")
    connection.close()
    head = await log.head_sequence()
    log.identity = LogIdentity(log.identity.log_id, 2, ((1, head + shared),))
    runner = Runner(log, url)
    await runner.open()
    await runner.catch_up()
    different = await compare(log, runner.store.engine)
    await runner.close()
    assert [one.table for one in different] == (["services"] if is_kept else [])


async def test_nothing_is_left_beside_after_a_restore_that_failed(
    own_log: Log, tmp_path: Path
) -> None:
    file = tmp_path / "log.backup"
    async with a_world(own_log) as world:
        await world.configure("db", **a_command("true"))
    await make_backup(own_log, file, quietly)
    source = BackupSource(file)

    async def fill(*_arguments: object) -> None:
        raise OSError("the disk is full")

    source.fill = fill  # type: ignore[assignment, method-assign]
    before = await own_log.head_sequence()
    with pytest.raises(OSError, match="full"):
        await Restore(
            own_log.client, source, StreamLimits(), 0, tmp_path / "given-up", quietly
        ).run()
    assert [one.name for one in await state_streams(own_log.client)] == [own_log.stream]
    assert await own_log.head_sequence() == before
    await delete_state_stream(own_log.client, "STANDFAST_STATE_9")  # harmless
