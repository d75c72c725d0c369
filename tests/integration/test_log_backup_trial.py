"""A backup is tried out beside the log where that has room, one at a time, and leaves nothing."""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from events.state_stream import ask_streams
from standfast.keeping import trial as module
from standfast.keeping.files import draft_of
from standfast.keeping.making import make_backup
from standfast.keeping.trial import (
    PREFIX,
    NotBackedUpError,
    Trial,
    clear_left_over,
    clear_trials,
    only_backup,
    see_that_there_is_room,
)
from standfast.session import open_session
from tests.fixtures.stand import Stand

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client


async def trials(client: Client) -> set[str]:
    answer = await ask_streams(client, "LIST", {})
    names = [str(one["config"]["name"]) for one in answer["streams"]]
    return {name for name in names if name.startswith(PREFIX)}


async def left_over(client: Client, name: str) -> str:
    config = {"name": name, "subjects": [f"sftrial.{name}.>"]}
    await ask_streams(client, f"CREATE.{name}", config)
    return name


async def test_what_a_killed_backup_left_is_gone_after_the_next(
    history: Stand, tmp_path: Path
) -> None:
    dead = await asyncio.create_subprocess_exec("true")
    await dead.wait()
    mine, draft = draft_of(tmp_path / "b"), tmp_path / f".b.{dead.pid}"
    draft.write_text("half")
    others = tmp_path / f".c.{dead.pid}"
    others.write_text("of another file")
    async with open_session(history.directory) as session:
        await left_over(session.client, Trial().stream)
        await left_over(session.client, PREFIX)  # as an earlier release called it
        ran = await history.run("log", "backup", str(tmp_path / "b"))
        assert ran.code == 0, ran
        assert await trials(session.client) == set()
    assert not draft.exists()
    assert not mine.exists()
    assert others.exists()


async def test_two_backups_at_once_do_not_spoil_each_other(history: Stand, tmp_path: Path) -> None:
    async with open_session(history.directory) as session:

        def told(_what: str, _done: float, _total: float) -> None:
            return None

        paths = [tmp_path / "a", tmp_path / "b"]  # as from two machines, which share no lock
        made = await asyncio.gather(*[make_backup(session.log, path, told) for path in paths])
        assert made[0].commits == made[1].commits > 0
        assert await trials(session.client) == set()
    with only_backup(history.directory):
        refused = await history.run("log", "backup", str(tmp_path / "c"))
    assert refused.code == 1
    assert "another backup of this log is being made" in refused.err
    assert not (tmp_path / "c").exists()


async def test_only_what_nobody_uses_is_cleared(history: Stand) -> None:
    async with open_session(history.directory) as session:
        young = await left_over(session.client, Trial().stream)
        old = await left_over(session.client, f"{PREFIX}_{int(time.time()) - 90_000}_ab")
        await clear_trials(session.client, 24 * 3600)
        assert await trials(session.client) == {young}
        await left_over(session.client, old)
        with only_backup(history.directory):
            await clear_left_over(session.client, history.directory, is_ours=True)
        assert await trials(session.client) == {young, old}
        await clear_left_over(session.client, history.directory, is_ours=True)
        assert await trials(session.client) == set()


async def test_where_there_is_no_room_nothing_is_begun(
    history: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(module, "SPARE_BYTES", 2 * free)

    def told(_what: str, _done: float, _total: float) -> None:
        return None

    async with open_session(history.directory) as session:
        with pytest.raises(NotBackedUpError, match="MiB are wanted"):
            await make_backup(session.log, tmp_path / "b", told, history.directory.log)
        assert await trials(session.client) == set()
    assert not (tmp_path / "b").exists()
    assert not draft_of(tmp_path / "b").exists()


def test_folders_of_one_disk_share_its_room(tmp_path: Path) -> None:
    size = (shutil.disk_usage(tmp_path).free - module.SPARE_BYTES) * 2 // 3
    see_that_there_is_room(size, tmp_path)
    with pytest.raises(NotBackedUpError, match=str(tmp_path)):
        see_that_there_is_room(size, tmp_path, tmp_path)
