"""A release replaces another while commands flow: nothing is lost, and what is broken goes back."""

import re
import sys
import time
from typing import Any

import pytest

from actors.runtime.commands import CommandClient
from actors.service import RequestProbe
from events.address import EntityAddress
from events.log import Log
from standfast.paths import StateDirectory
from standfast.upgrade_account import read_account
from tests.fixtures.checked import ACKNOWLEDGED, HELD, CheckedRun
from tests.upgrading import Installed, flowing

pytestmark = pytest.mark.timeout(600)

LONGEST_WAIT_SECONDS = 5.0
"""On a machine that does much else; about a tenth of it on a quiet one."""


async def builds_by_entity(log: Log) -> dict[str, list[str]]:
    """Give for each entity the builds of its commits in their order, each row of one once."""
    found: dict[str, list[str]] = {}
    async for batch in log.read(["sf.>"]):
        for message in batch:
            stored = log.stored(message)
            builds = found.setdefault(str(stored.commit.entity), [])
            if builds[-1:] != [stored.commit.author.build]:
                builds.append(stored.commit.author.build)
    return found


async def test_a_newer_release_replaces_all_that_runs_while_commands_flow(
    installed: Installed, checked_run: CheckedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    await installed.wait_ready()
    (first,) = await installed.builds()
    before = await installed.host_pids()
    installed.change("actors/service.py", "from __future__", "# a newer release\nfrom __future__")
    log = await installed.log()
    sent = time.monotonic()
    async with flowing(checked_run.commands(log.client)) as flow:
        said = await installed.run("upgrade", code=0)
        took = time.monotonic() - sent
    assert flow.accepted == flow.sent
    (second,) = await installed.builds()
    assert f"everything runs {second}" in said
    assert first != second
    after = await installed.host_pids()
    assert not before.keys() & after.keys()
    assert not set(before.values()) & set(after.values())
    builds = await builds_by_entity(log)
    assert all(one in ([first], [second], [first, second]) for one in builds.values()), builds
    assert builds["service/demo-app"] == [first, second]
    claims = (ACKNOWLEDGED, "acknowledged: in order", *HELD)
    await checked_run.clean(log, *claims, hosts=sorted(after))
    with capsys.disabled():
        wait = f"longest wait {flow.longest_seconds:.2f} s"
        sys.stdout.write(f"\n{took:.1f} s under {flow.sent} commands, {wait}\n")
    assert flow.longest_seconds < LONGEST_WAIT_SECONDS
    await installed.run("verify")
    await log.client.close()


async def test_an_upgrade_to_what_runs_already_touches_nothing(installed: Installed) -> None:
    before = (await installed.host_pids(), installed.pids())
    await installed.run("upgrade")
    assert (await installed.host_pids(), installed.pids()) == before


async def test_a_release_that_can_not_be_loaded_changes_nothing(installed: Installed) -> None:
    before = (await installed.host_pids(), installed.pids())
    path = installed.root / "actors" / "alert.py"
    good = path.read_text()
    path.write_text(good + "\nraise RuntimeError('a broken release')\n")
    process = await installed.run_to_end("upgrade")
    assert process.returncode == 1
    assert "actors.alert can't be loaded: RuntimeError: a broken release" in process.errors
    path.write_text(good)
    assert (await installed.host_pids(), installed.pids()) == before


async def test_a_release_whose_hosts_do_not_get_ready_gives_the_buckets_back(
    installed: Installed,
) -> None:
    (build,) = {one["build"] for one in (await installed.json("actors"))["hosts"]}
    before = await installed.host_pids()
    host = installed.root / "actors" / "runtime" / "host.py"
    replacement = installed.root / "standfast" / "supervisor" / "replacement.py"
    kept = {path: path.read_text() for path in (host, replacement)}
    loading = "loaded = await self._load(kept, ownership)"
    installed.change(
        "actors/runtime/host.py", loading, f"{loading}\n        assert not loaded, 'broken'"
    )
    installed.change(
        "standfast/supervisor/replacement.py", "READY_SECONDS = 20.0", "READY_SECONDS = 3.0"
    )
    process = await installed.run_to_end("upgrade")
    assert process.returncode == 1
    assert "it went back: service-host was not ready within 3 s" in process.errors
    assert await installed.host_pids() == before
    assert {one["build"] for one in (await installed.json("actors"))["hosts"]} == {build}
    doctor = await installed.run_to_end("doctor")
    assert "several builds" in doctor.output
    log = await installed.log()
    commands = CommandClient(log.client, principal="person:test", source="/test")
    answer = await commands.send(EntityAddress("service", "demo-app"), RequestProbe(reason="after"))
    assert answer.accepted
    await log.client.close()
    for path, text in kept.items():
        path.write_text(text)


async def test_an_older_release_parks_what_it_can_not_read_and_a_newer_one_releases_it(
    installed: Installed,
) -> None:
    service = installed.root / "events" / "service.py"
    older = service.read_text()
    installed.change(
        "events/service.py",
        "standfast.service.probe_requested.v1",
        "standfast.service.probe_requested.v9",
    )
    installed.change(
        "events/codec.py",
        "class UnknownEventError",
        "UPCASTERS['standfast.service.probe_requested.v1'] = (\n"
        "    'standfast.service.probe_requested.v9', lambda data: data)\n\n\n"
        "class UnknownEventError",
    )
    newer = {path: path.read_text() for path in (service, installed.root / "events" / "codec.py")}
    await installed.run("upgrade")
    log = await installed.log()
    commands = CommandClient(log.client, principal="person:test", source="/test")
    cache = EntityAddress("service", "demo-cache")
    assert (await commands.send(cache, RequestProbe(reason="of the newer release"))).accepted
    installed.reinstall()
    assert service.read_text() == older
    process = await installed.run_to_end("upgrade")
    assert process.returncode == 1
    assert "this build would park 1 more: service/demo-cache: commit" in process.errors
    await installed.run("upgrade", "--park")
    await installed.wait_for("/api/alerts", lambda found: firing(found) == ["service/demo-cache"])
    app = EntityAddress("service", "demo-app")
    assert (await commands.send(app, RequestProbe(reason="others live"))).accepted
    parked = (await installed.json("status"))["parked"]
    assert [row["entity"] for row in parked] == ["service/demo-cache"]
    for path, text in newer.items():
        path.write_text(text)
    await installed.run("upgrade")
    assert (await commands.send(cache, RequestProbe(reason="it lives again"))).accepted
    await installed.wait_for("/api/alerts", lambda found: firing(found) == [])
    assert (await installed.json("status"))["parked"] == []
    await log.client.close()


def firing(found: Any) -> list[str]:
    return [
        row["labels"]["entity"]
        for row in found["alerts"]
        if row["state"] != "resolved" and row["labels"].get("alertname") == "EntityParked"
    ]


async def test_the_account_of_an_upgrade_says_each_step(installed: Installed) -> None:
    account = read_account(StateDirectory(installed.directory))
    assert account is not None
    assert account.state == "done"
    steps = " ".join(account.lines)
    assert all(name in steps for name in ("prober", "evaluator", "executor", "projector", "web"))
    assert re.search(r"coordinator\S* owns what is its own \(32 of 32 steps\)", steps)
