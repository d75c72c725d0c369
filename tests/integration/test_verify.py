"""Whatever one changes in a stored log is found, and its sequence named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from events.commit import DIGEST_HEADER, Head, digest_of, encode_commit
from events.host import HostStarted
from events.identity import LogIdentity
from events.log import Log
from events.subjects import state_subject
from projections.database import open_reader, sqlite_url
from projections.lost import read_lost
from projections.positions import read_positions
from projections.runner import Runner
from standfast.kept_copy import KeptCopy
from standfast.session import open_session
from standfast.verification import BAD_MAX, Findings, Verifier
from tests.history import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from events.commit import Commit
    from tests.fixtures.stand import Ran, Stand

STARTED = HostStarted(pid=1, node="", build="b")
INDEX = "index.db"


def blocks(stand: Stand) -> Path:
    """Give the folder of the state stream's files."""
    streams = stand.directory.log / "data" / "jetstream"
    return next(streams.glob("*/streams/STANDFAST_STATE/msgs"))


def flip_a_byte(stand: Stand, *, last: bool) -> None:
    """Change one byte in the payload of a commit: of one in the middle, or of the newest."""
    path = next(blocks(stand).glob("*.blk"))
    content = bytearray(path.read_bytes())
    places = [i for i in range(len(content)) if content.startswith(b"standfast.", i)]
    content[places[-1] if last else places[len(places) // 2]] ^= 0x01
    path.write_bytes(content)


async def verified(stand: Stand, *options: str) -> Ran:
    return await stand.run("verify", "--json", *options)


async def test_a_whole_log_is_found_whole(history: Stand) -> None:
    ran = await verified(history)
    assert ran.code == 0, ran
    assert ran.json["ok"] is True
    assert ran.json["commits"] == ran.json["head"] > 40
    assert ran.json["projections"] == {"compared": True, "why_not": None, "differences": []}


async def test_a_changed_byte_in_the_middle_is_named(history: Stand) -> None:
    flip_a_byte(history, last=False)
    ran = await verified(history)
    assert ran.code == 1, ran
    (bad,) = ran.json["bad"]
    assert bad["what"] in {"changed", "missing"}
    assert 1 < bad["sequence"] < ran.json["head"]
    assert bad["entity"]
    shown = await history.run("verify")
    assert shown.code == 1
    assert str(bad["sequence"]) in shown.out


async def test_a_changed_byte_of_the_newest_commit_is_named(history: Stand) -> None:
    head = (await verified(history)).json["head"]
    flip_a_byte(history, last=True)
    ran = await verified(history)
    assert ran.code == 1, ran
    assert [bad["sequence"] for bad in ran.json["bad"]] == [head]


@pytest.mark.parametrize("last", [False, True])
async def test_what_a_server_cuts_off_is_named_from_the_copy(history: Stand, last: bool) -> None:
    """Without its index the server ends the stream where a checksum fails, and says nothing."""
    head = (await verified(history)).json["head"]
    flip_a_byte(history, last=last)
    (blocks(history) / INDEX).unlink()
    ran = await verified(history)
    assert ran.code == 1, ran
    named = [bad["sequence"] for bad in ran.json["bad"]]
    assert ran.json["head"] < head
    assert named == list(range(ran.json["head"] + 1, head + 1))


async def test_a_later_reader_does_not_destroy_that_copy(history: Stand) -> None:
    flip_a_byte(history, last=False)
    (blocks(history) / INDEX).unlink()
    why = await history.run("why", "service/demo-app")
    assert "verify" in why.err
    assert (await verified(history)).code == 1


async def test_a_projector_that_starts_on_a_shorter_log_keeps_what_was_lost(
    history: Stand,
) -> None:
    head = (await verified(history)).json["head"]
    flip_a_byte(history, last=False)
    (blocks(history) / INDEX).unlink()
    async with open_session(history.directory) as session:
        shorter = await session.log.head_sequence()
        runner = Runner(session.log, session.situation.projections_url)
        await runner.open()
        await runner.close()
    ran = await verified(history)
    assert ran.code == 1, ran
    assert [bad["sequence"] for bad in ran.json["bad"]] == list(range(shorter + 1, head + 1))


async def test_a_rebuild_on_a_damaged_log_keeps_what_was_lost(history: Stand) -> None:
    flip_a_byte(history, last=False)
    (bad,) = (await verified(history)).json["bad"]
    engine = open_reader(sqlite_url(history.directory.projections))
    with engine.connect() as connection:
        kept = KeptCopy(connection, await identity_of(history)).at(bad["sequence"])
    assert kept is not None
    rebuilt = await history.run("projections", "rebuild", "all")
    assert rebuilt.code == 0, rebuilt
    with engine.connect() as connection:
        assert [tuple(row.values()) for row in read_lost(connection)] == [
            (kept.sequence, kept.digest, kept.entity)
        ]
    engine.dispose()
    assert [one["sequence"] for one in (await verified(history)).json["bad"]] == [bad["sequence"]]


async def identity_of(stand: Stand) -> LogIdentity:
    async with open_session(stand.directory) as session:
        return session.log.identity


async def test_changed_projections_differ_from_replay(history: Stand) -> None:
    import sqlite3  # noqa: PLC0415  (the projections are changed behind everybody's back)

    with sqlite3.connect(history.directory.projections) as connection:
        connection.execute("UPDATE services SET state = 'down' WHERE id = 'demo-app'")
    connection.close()
    ran = await verified(history)
    assert ran.code == 1, ran
    (difference,) = ran.json["projections"]["differences"]
    assert difference["key"] == ["demo-app"]
    alone = await verified(history, "--no-projections")
    assert alone.code == 0


async def test_an_empty_log_is_whole(stand: Stand) -> None:
    await stand.open()
    ran = await verified(stand)
    assert ran.code == 0, ran
    assert ran.json["commits"] == 0


# --- what only the reader itself can be shown ------------------------------------------------


async def findings(log: Log) -> Findings:
    verifier = Verifier(log, KeptCopy(None, log.identity))
    return await verifier.run(lambda _done, _total: None)


async def publish(log: Log, commit: Commit, digest: bytes | None = None) -> None:
    payload = encode_commit(commit)
    shown = digest_of(payload) if digest is None else digest
    subject = state_subject(commit.entity)
    await log.client.jetstream().publish(subject, payload, headers={DIGEST_HEADER: shown.hex()})


async def test_another_digest_than_the_stored_one_is_found(log: Log) -> None:
    recorder = Recorder(log)
    await publish(log, recorder.commit("host/a", (STARTED,), None, None, "t"), b"\0" * 32)
    (bad,) = (await findings(log)).bad
    assert (bad.sequence, bad.what, bad.entity) == (1, "changed", "host/a")


async def test_a_commit_that_follows_another_than_the_one_before_it_is_found(log: Log) -> None:
    recorder = Recorder(log)
    await recorder.append("host/a", STARTED)
    entity = next(iter(recorder.heads))
    recorder.heads[entity] = Head(1, b"\0" * 32)
    await publish(log, recorder.commit("host/a", (STARTED,), None, None, "t"))
    recorder.heads[entity] = Head(7, b"\0" * 32)
    await publish(log, recorder.commit("host/a", (STARTED,), None, None, "t"))
    found = await findings(log)
    assert [(bad.sequence, bad.what) for bad in found.bad] == [(2, "broken"), (3, "broken")]


async def test_bytes_that_are_no_commit_are_found(log: Log) -> None:
    stream = log.client.jetstream()
    headers = {DIGEST_HEADER: digest_of(b"junk").hex()}
    await stream.publish("sf.host.00.a", b"junk", headers=headers)
    await stream.publish("sf.strange", b"junk", headers=headers)
    found = await findings(log)
    assert [(bad.sequence, bad.what) for bad in found.bad] == [(1, "unreadable"), (2, "unreadable")]


async def test_only_a_hundred_are_named_and_all_counted(log: Log) -> None:
    recorder = Recorder(log)
    for number in range(BAD_MAX + 20):
        commit = recorder.commit(f"host/h{number}", (STARTED,), None, None, "t")
        await publish(log, commit, b"\0" * 32)
    found = await findings(log)
    assert (len(found.bad), found.count) == (BAD_MAX, BAD_MAX + 20)


def test_a_copy_of_another_life_of_the_log_is_no_copy(lived: Path) -> None:
    engine = open_reader(sqlite_url(lived / "projections.db"))
    with engine.connect() as connection:
        mine = read_positions(connection)["journal"].position
        log = LogIdentity(mine.log_id, mine.generation)
        assert KeptCopy(connection, log).last == mine.sequence
        assert KeptCopy(connection, replace(log, log_id="another")).last == 0
        restored = replace(log, generation=2, shared=((1, 20),))
        copy = KeptCopy(connection, restored)
        assert copy.last == 20
        assert copy.at(20) is not None
        assert copy.at(21) is None
    engine.dispose()


@pytest.mark.parametrize("last", [False, True])
async def test_replay_of_a_damaged_log_comes_to_its_end(history: Stand, last: bool) -> None:
    flip_a_byte(history, last=last)
    for options in ((), ("--kind", "service"), ("--kind", "alert"), ("--kind", "policy")):
        ran = await history.run("replay", *options)
        assert ran.code in (0, 1), ran
