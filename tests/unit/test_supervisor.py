"""What the supervisor keeps it keeps for ever, and always as the file in force says."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from effects.recovery.child import Child, Exited
from events.log_errors import LogLostEndError, LogReplacedError
from events.server import ServerAddress
from standfast.config.load import load_text
from standfast.keeping import disk_watch
from standfast.paths import StateDirectory
from standfast.supervisor import keeping, log_keeper
from standfast.supervisor import supervisor as module
from standfast.supervisor.hosts import Hosts
from standfast.supervisor.keeping import keep
from standfast.supervisor.processes import LOG, ROLES, WATCHDOG
from standfast.supervisor.supervisor import Supervisor
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from effects.recovery.child import ChildSpec
    from standfast.config.load import Loaded

PLAIN = "services: {a: {checks: [{kind: http, url: 'http://127.0.0.1:1/'}]}}"
SECRET = """
services:
  a: {checks: [{kind: http, url: 'http://127.0.0.1:1/', headers: {authorization: 'env:SECRET'}}]}
log: {disk_high_share: 0.75}
"""


class Children:
    """Processes that end when told, and what each start was asked for."""

    def __init__(self) -> None:
        self.ends = asyncio.Event()
        self.started: list[ChildSpec] = []
        self.restarted: list[ChildSpec] = []

    async def wait_exit(self, _name: str) -> Exited:
        await self.ends.wait()
        self.ends.clear()
        return Exited(code=-9)

    async def start(self, spec: ChildSpec) -> Child:
        self.started.append(spec)
        return Child(name=spec.name, pid=1, run="r", command=spec.command, is_adopted=False)

    async def restart(self, spec: ChildSpec) -> Child:
        self.restarted.append(spec)
        return await self.start(spec)


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    monkeypatch.setattr(keeping, "RESTART_SECONDS_FIRST", 0.001)
    monkeypatch.setenv("SECRET", "s")
    found = Supervisor(StateDirectory.make(tmp_path), loaded(PLAIN), False, print)
    found.children = cast("Any", Children())
    return found


@pytest.fixture
def children(supervisor: Supervisor) -> Children:
    return cast("Children", supervisor.children)


def loaded(text: str) -> Loaded:
    return load_text(text.encode(), "test")


async def test_work_that_fails_is_begun_again_and_said(
    supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    begun: list[int] = []

    async def work() -> None:
        begun.append(1)
        raise OSError(28, "No space left on device")

    supervisor._spawn("keeping it", work)
    await until(lambda: len(begun) >= 3)
    await supervisor._watch_nothing()
    assert "keeping it failed" in caplog.text
    assert "No space left" in caplog.text


async def test_everything_that_is_kept_outlives_an_error(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def failing(name: str) -> Any:
        async def work(*_arguments: Any) -> None:
            begun.append(name)
            raise RuntimeError(name)

        return work

    async def starting(*_arguments: Any) -> None:
        """It goes well."""

    hosts: Any = type("Hosts", (), {})()
    hosts.keep, hosts.log_refuses = failing("hosts"), failing("refuses")
    hosts.start = hosts.wait_all_ready = starting
    monkeypatch.setattr(module, "start_or_adopt", starting)
    monkeypatch.setattr(module, "keep", lambda _children, name, _spec: failing(name)())
    monkeypatch.setattr(log_keeper.LogKeeper, "keep", failing("answering"))
    monkeypatch.setattr(log_keeper.StorageKeeper, "keep", failing("storing"))
    monkeypatch.setattr(disk_watch.DiskWatch, "run", failing("disk"))
    monkeypatch.setattr(Supervisor, "_follow_generations", failing("generations"))
    supervisor._keep_log(hosts)
    await supervisor._start_roles()
    await supervisor._start_hosts(hosts)
    supervisor._watch_generations_and_disk()
    kept = {WATCHDOG, *ROLES, LOG, "hosts", "storing", "answering", "disk", "generations"}
    await until(lambda: all(begun.count(name) >= 2 for name in kept))
    await supervisor._watch_nothing()
    assert set(begun) == kept


async def test_what_a_restored_log_needs_is_tried_until_it_is_done(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    async def watch(_log: object) -> None:
        if tries:
            await asyncio.Event().wait()
        raise LogReplacedError

    async def begin_anew(_supervisor: Supervisor) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise LogLostEndError("STANDFAST_STATE", 7, 5)

    supervisor.log = cast("Any", object())
    monkeypatch.setattr(module, "watch_generation", watch)
    monkeypatch.setattr(Supervisor, "_begin_anew", begin_anew)
    supervisor._spawn("following", supervisor._follow_generations)
    await until(lambda: len(tries) == 3)
    await supervisor._watch_nothing()


@pytest.fixture
def reloading(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """Give one whose edited files change nothing but who is started, and how."""

    async def apply(*_arguments: object) -> int:
        return 0

    supervisor.log = cast("Any", object())
    monkeypatch.setattr(module, "apply", apply)
    monkeypatch.setattr(Supervisor, "_commands", lambda _supervisor: None)
    supervisor._write_files(ServerAddress("nats://127.0.0.1:1", "token"))
    return supervisor


async def test_a_killed_process_is_started_as_the_newest_file_says(
    reloading: Supervisor, children: Children
) -> None:
    role = partial(keep, reloading.children, "prober", partial(reloading._role, "prober"))
    reloading._spawn("prober", role)
    await reloading.reload(loaded(SECRET))
    children.started.clear()
    children.ends.set()
    await until(lambda: children.started)
    assert children.started[0].environment["SECRET"] == "s"
    await reloading._watch_nothing()


async def test_who_keeps_secrets_is_restarted_when_others_are_referred_to(
    reloading: Supervisor, children: Children
) -> None:
    await reloading.reload(loaded(PLAIN))
    assert children.restarted == []
    await reloading.reload(loaded(SECRET))
    assert {one.name for one in children.restarted} == {"prober", "executor", WATCHDOG}
    assert all(one.environment["SECRET"] == "s" for one in children.restarted)
    children.restarted.clear()
    await reloading.reload(loaded(SECRET))
    assert children.restarted == []


async def test_the_disk_is_watched_as_the_newest_file_says(
    reloading: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[disk_watch.DiskWatch] = []

    async def run(watch: disk_watch.DiskWatch) -> None:
        seen.append(watch)

    monkeypatch.setattr(disk_watch.DiskWatch, "run", run)
    await reloading._watch_disk()
    await reloading.reload(loaded(SECRET))
    assert seen[0].shares.high == 0.75


async def test_what_ray_says_of_hosts_that_are_not_placed_is_said_as_what_it_means(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "Traceback\\nConnectionError: Failed to connect to GCS at address 127.0.0.1:1"
    command = (sys.executable, "-c", f"import sys; sys.exit('{words}')")
    monkeypatch.setattr("standfast.supervisor.hosts.placer_command", lambda *_given: command)
    nothing: Any = None
    placing = Hosts(supervisor.directory, supervisor.children, nothing, nothing, print)
    supervisor.directory.ray.mkdir()
    said = await placing._placed_by_driver([])
    assert said.startswith("Ray's head does not answer (ConnectionError: Failed to connect")
