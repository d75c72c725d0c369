"""The supervisor is killed in the middle of an upgrade: the next `standfast up` ends it."""

import asyncio
import re
from itertools import count

import psutil
import pytest

from standfast.paths import StateDirectory
from standfast.upgrade_account import read_account
from tests.fixtures.checked import ACKNOWLEDGED, HELD, CheckedRun
from tests.upgrading import Installed, flowing
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)

HOST_TITLE = "ray::HostActor"
RELEASES = count(2)


def said_of_upgrade(installed: Installed) -> list[str]:
    account = read_account(StateDirectory(installed.directory))
    return [] if account is None or account.is_over else list(account.lines)


def hosts_in_ray(installed: Installed) -> set[int]:
    """Give the pids of all hosts in its Ray, of whatever build."""
    ray = psutil.Process(installed.pid_of("ray"))
    family = ray.children(recursive=True)
    return {one.pid for one in family if one.cmdline() and one.cmdline()[0].startswith(HOST_TITLE)}


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(r"owns what is its own \(\d\d? of", id="between two hosts"),
        pytest.param(r"owns what is its own \((\d+) of \1 steps", id="before old hosts end"),
    ],
)
async def test_an_upgrade_goes_on_after_its_supervisor_was_killed(
    installed: Installed, checked_run: CheckedRun, step: str
) -> None:
    await installed.wait_ready()
    (first,) = await installed.builds()
    before = await installed.host_pids()
    installed.change("actors/service.py", "from __future__", f"# {next(RELEASES)}\nfrom __future__")
    log = await installed.log()
    async with flowing(checked_run.commands(log.client)) as flow:
        upgrade = asyncio.create_task(installed.run_to_end("upgrade"))
        await until(lambda: any(re.search(step, line) for line in said_of_upgrade(installed)), 120)
        installed.kill()
        installed.start()
        ended = await upgrade
        await installed.wait_ready()
    assert ended.returncode == 0, ended
    (second,) = await installed.builds()
    assert f"everything runs {second}" in ended.output
    assert first != second
    after = await installed.host_pids()
    assert hosts_in_ray(installed) == set(after.values())
    assert not set(before.values()) & set(after.values())
    assert flow.accepted
    claims = (ACKNOWLEDGED, "acknowledged: in order", *HELD)
    await checked_run.clean(log, *claims, hosts=sorted(after))
    await installed.run("verify")
    await log.client.close()
