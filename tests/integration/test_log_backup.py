"""A backup holds the log as it was, counts only when it is good, and is restored whole or not."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors.runtime.checkpoints import Checkpoints
from events.address import EntityAddress
from events.archive import Archive, ArchiveWriter
from events.base import Position
from events.host import HostStarted
from events.log import Log, LogReplacedError, LogUnavailableError
from events.reader import Start
from events.state_stream import close_state_stream, find_state_stream, state_streams
from events.storage import LogRestored
from events.succession import watch_generation
from projections.database import open_reader, sqlite_url
from projections.given_up import given_up_counts
from standfast.keeping.aftermath import STORAGE_ADDRESS
from standfast.paths import StateDirectory
from standfast.replay import cut_at
from standfast.session import open_session
from tests.fixtures.stand import Stand
from tests.history import Recorder
from tests.integration.test_verify import flip_a_byte

if TYPE_CHECKING:
    from events.reader import Message
    from tests.fixtures.stand import Ran

STARTED = HostStarted(pid=1, node="", build="b")


async def messages(log: Log) -> list[tuple[object, ...]]:
    """Give what there is, where, and since when."""
    return [_content(one) async for batch in log.read(["sf.>"], Start()) for one in batch]


async def all_messages(stand: Stand) -> list[tuple[object, ...]]:
    async with open_session(stand.directory) as session:
        return await messages(session.log)


async def add(stand: Stand, count: int, entity: str = "host/added") -> None:
    async with open_session(stand.directory) as session:
        recorder = Recorder(session.log)
        address = EntityAddress.parse(entity)
        last = await session.log.last_commit(address)
        if last is not None:
            recorder.heads[address] = last.head
        for _ in range(count):
            await recorder.append(entity, STARTED)


async def verified(stand: Stand) -> Ran:
    ran = await stand.run("verify", "--json")
    assert ran.code == 0, ran
    return ran


async def test_a_restored_log_is_the_one_that_was_backed_up(history: Stand, tmp_path: Path) -> None:
    file = str(tmp_path / "log.backup")
    made = await history.run("log", "backup", file, "--json")
    assert made.code == 0, made
    before = await all_messages(history)
    assert made.json["commits"] == len(before) == made.json["head"]
    await add(history, 10)
    refused = await history.run("log", "restore", file)
    assert refused.code == 3, refused
    assert "10 commits" in refused.err
    assert len(await all_messages(history)) == len(before) + 10
    restored = await history.run("log", "restore", file, "--yes", "--json")
    assert restored.code == 0, restored
    assert restored.json["given_up"] == 10
    assert restored.json["generation"] == 2
    after = await all_messages(history)
    assert after[:-1] == before
    async with open_session(history.directory) as session:
        fact = await session.log.last_commit(STORAGE_ADDRESS)
        assert fact is not None
        (envelope,) = fact.envelopes()
        assert isinstance(envelope.event, LogRestored)
        assert envelope.event.given_up == 10
        assert fact.position == Position(session.log.identity.log_id, 2, len(before) + 1)
        assert [one.name for one in await state_streams(session.client)] == ["STANDFAST_STATE_2"]
    await verified(history)


async def test_what_was_given_up_is_kept_in_an_archive_and_named_and_is_no_error(
    history: Stand, tmp_path: Path
) -> None:
    file = str(tmp_path / "log.backup")
    assert (await history.run("log", "backup", file)).code == 0
    await add(history, 10)
    async with open_session(history.directory) as session:
        await history.catch_up(session.log)
    restored = await history.run("log", "restore", file, "--yes", "--json")
    assert restored.code == 0, restored
    kept = list(Archive(Path(restored.json["given_up_file"])).messages())
    assert len(kept) == 10
    part = await history.run("log", "check", restored.json["given_up_file"])
    assert (part.code, "10 commits" in part.out) == (0, True), part
    imported = await history.run("log", "import", restored.json["given_up_file"], "--yes")
    assert (imported.code, "only the part" in imported.err) == (4, True), imported
    ran = await verified(history)
    (gone,) = ran.json["given_up"]
    assert (gone["generation"], gone["commits"]) == (1, 10)
    engine = open_reader(sqlite_url(history.directory.projections))
    with engine.connect() as connection:
        assert [row["commits"] for row in given_up_counts(connection)] == [10]
    engine.dispose()
    shown = await history.run("verify")
    assert "10 commits of generation 1" in shown.out


async def test_a_log_is_restored_where_nothing_ever_ran(
    history: Stand, stand: Stand, tmp_path: Path
) -> None:
    file = str(tmp_path / "log.backup")
    assert (await history.run("log", "backup", file)).code == 0
    before = await all_messages(history)
    new = Stand(StateDirectory.make(tmp_path / "new"))
    ran = await stand.run("log", "restore", file, "--state-dir", str(new.directory.root))
    assert ran.code == 0, ran
    await _can_be_looked_at(new, tmp_path, len(before) + 1)
    try:
        log = await new.open()
        assert (await messages(log))[:-1] == before
        assert log.identity.shared == ((1, len(before)),)
        await verified(new)
    finally:
        await new.close()


async def _can_be_looked_at(new: Stand, tmp_path: Path, head: int) -> None:
    """All that needs no host works there, though nothing ran yet."""
    verified = await new.run("verify", "--json")
    assert (verified.code, verified.json["ok"]) == (0, True), verified
    events = await new.run("events", "--json")
    assert json.loads(events.out.splitlines()[-1])["sequence"] == head
    made = await new.run("log", "backup", str(tmp_path / "again"), "--json")
    assert (made.code, made.json["head"]) == (0, head), made
    for arguments in (("status",), ("why", "service/demo-app"), ("replay",), ("actors",)):
        ran = await new.run(*arguments)
        assert ran.err == "", ran
        assert ran.code == (1 if arguments == ("actors",) else 0), ran


async def test_where_there_is_no_log_the_commands_that_bring_one_are_named(stand: Stand) -> None:
    for arguments in (("verify",), ("status",), ("log", "backup", "/tmp/none")):
        ran = await stand.run(*arguments)
        assert (ran.code, ran.out) == (1, "")
        assert "`standfast up` begins" in ran.err
        assert "`standfast log restore FILE` brings a log" in ran.err


@pytest.mark.parametrize("spoil", ["flip", "cut", "empty", "other"])
async def test_a_file_that_is_not_whole_changes_nothing(
    history: Stand, tmp_path: Path, spoil: str
) -> None:
    file = tmp_path / "log.backup"
    assert (await history.run("log", "backup", str(file))).code == 0
    before = await all_messages(history)
    content = bytearray(file.read_bytes())
    if spoil == "flip":
        content[len(content) // 2] ^= 1
    file.write_bytes(
        {"cut": bytes(content[:-30]), "empty": b"", "other": b"x" * 999}.get(spoil, content)
    )
    for command in (("restore", str(file), "--yes"), ("check", str(file))):
        ran = await history.run("log", *command)
        assert ran.code == 4, ran
        assert len(ran.err.strip().splitlines()) == 1
    assert await all_messages(history) == before


async def test_what_is_no_file_is_neither_written_nor_read(history: Stand, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    place.mkdir()
    for one in ("backup", "export"):
        made = await history.run("log", one, str(place))
        assert (made.code, f"{place} is there and is no file" in made.err) == (2, True), made
    for path in (place, tmp_path / "missing"):
        for command in (("restore", "--yes"), ("import", "--yes"), ("check",)):
            ran = await history.run("log", *command, str(path))
            assert ran.code == 4, ran
            assert str(path) in ran.err


async def test_a_damaged_log_is_not_backed_up_and_an_older_backup_stays(
    history: Stand, tmp_path: Path
) -> None:
    file = tmp_path / "log.backup"
    assert (await history.run("log", "backup", str(file))).code == 0
    older = file.read_bytes()
    flip_a_byte(history, last=False)
    ran = await history.run("log", "backup", str(file))
    assert ran.code == 1, ran
    assert file.read_bytes() == older
    assert sorted(os.listdir(tmp_path)) == [file.name, "state"]  # noqa: PTH208
    restored = await history.run("log", "restore", str(file), "--yes")
    assert restored.code == 0, restored
    await verified(history)


async def test_an_archive_gives_the_same_commits_at_the_same_sequences_and_times(
    history: Stand, stand: Stand, tmp_path: Path
) -> None:
    file = str(tmp_path / "log.archive")
    made = await history.run("log", "export", file, "--json")
    assert made.code == 0, made
    assert (await history.run("log", "check", file)).code == 0
    before = await all_messages(history)
    new = Stand(StateDirectory.make(tmp_path / "new"))
    ran = await stand.run("log", "import", file, "--state-dir", str(new.directory.root))
    assert ran.code == 0, ran
    try:
        log = await new.open()
        after = (await messages(log))[:-1]
        assert after == before
        assert log.identity.generation == 2
        await verified(new)
        sequence, stored = before[len(before) // 2][1:3]
        assert isinstance(stored, datetime)
        cut = await cut_at(log, stored)
        assert (cut.sequence, cut.time) == (sequence, stored)
        listed = await new.run("events", "--since", stored.isoformat(), "--json")
        assert json.loads(listed.out.splitlines()[0])["sequence"] == sequence
        again = str(tmp_path / "again.archive")
        assert (await new.run("log", "export", again)).code == 0
        twice = list(Archive(Path(again)).messages())[:-1]
        assert [_content(one) for one in twice] == before
    finally:
        await new.close()


def _content(message: Message) -> tuple[object, ...]:
    return message.subject, message.sequence, message.stored, message.payload


async def test_an_archive_with_a_gap_is_taken_with_its_gap_when_it_may(
    history: Stand, tmp_path: Path
) -> None:
    whole, gappy = tmp_path / "whole", tmp_path / "gappy"
    assert (await history.run("log", "export", str(whole))).code == 0
    archive = Archive(whole)
    with gappy.open("wb") as file:
        writer = ArchiveWriter(file)
        writer.begin(archive.heading)
        kept = [one for one in archive.messages() if one.sequence not in (7, 8, 20)]
        for message in kept:
            writer.add(message)
        writer.end()
    assert (await history.run("log", "check", str(gappy))).code == 1
    refused = await history.run("log", "import", str(gappy), "--yes")
    assert (refused.code, "bad" in refused.err) == (1, True), refused
    taken = await history.run("log", "import", str(gappy), "--yes", "--damaged")
    assert taken.code == 0, taken
    after = (await all_messages(history))[:-1]
    assert after == [_content(one) for one in kept]


async def test_a_restore_that_was_cut_off_leaves_the_log_as_it_was(
    history: Stand, tmp_path: Path
) -> None:
    file = str(tmp_path / "log.backup")
    assert (await history.run("log", "backup", file)).code == 0
    await add(history, 3)
    before = await all_messages(history)
    async with open_session(history.directory) as session:
        stream = await find_state_stream(session.client)
        assert stream is not None
        await close_state_stream(session.client, stream)  # as far as a killed restore may come
        with pytest.raises(LogUnavailableError, match="restored"):
            await Log.open(session.client)
    log = await history.open()
    assert await messages(log) == before
    await history.close()


async def test_a_writer_of_an_earlier_generation_is_refused_and_hears_of_the_new_one(
    history: Stand, tmp_path: Path
) -> None:
    file = str(tmp_path / "log.backup")
    log = await history.open()
    assert (await history.run("log", "backup", file)).code == 0
    stale = Recorder(log)
    await stale.append("host/stale", STARTED)
    watching = asyncio.create_task(watch_generation(log))
    ran = await history.run("log", "restore", file, "--yes")
    assert ran.code == 0, ran
    with pytest.raises(LogReplacedError):
        await asyncio.wait_for(watching, 5)
    with pytest.raises(LogReplacedError):
        await stale.append("host/stale", STARTED)
    assert history.client is not None
    fresh = await Log.open(history.client)
    assert await fresh.last_commit(EntityAddress("host", "stale")) is None


async def test_checkpoints_of_what_is_shared_are_used_and_those_beyond_are_not(
    history: Stand, tmp_path: Path
) -> None:
    file = str(tmp_path / "log.backup")
    log = await history.open()
    made = await history.run("log", "backup", file, "--json")
    head = made.json["head"]
    await Recorder(log).append("host/lost", STARTED)
    checkpoints = Checkpoints(log)
    for sequence in (head, head + 1):
        await checkpoints.write("service", 7, sequence, [])
    assert (await checkpoints.read({"service"}))["service", 7].sequence == head + 1
    assert (await history.run("log", "restore", file, "--yes")).code == 0
    assert history.client is not None
    read = await Checkpoints(await Log.open(history.client)).read({"service"})
    assert read["service", 7].sequence == head


async def test_a_backup_of_another_log_is_refused(history: Stand, tmp_path: Path) -> None:
    file = str(tmp_path / "log.backup")
    assert (await history.run("log", "backup", file)).code == 0
    other = Stand(StateDirectory.make(tmp_path / "other"))
    try:
        await Recorder(await other.open()).append("host/x", STARTED)
        ran = await other.run("log", "restore", file, "--yes")
        assert (ran.code, "another log" in ran.err) == (1, True), ran
    finally:
        await other.close()
