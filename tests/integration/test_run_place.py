"""The directory of a fault run: nothing foreign is removed, and nothing outlives its run."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from scenarios.faults import place
from scenarios.faults.place import claimed
from scenarios.faults.recorded import record, remember, remembered
from scenarios.faults.stand import StandFailedError
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import asyncio, sys
from pathlib import Path
from scenarios.faults.kept import Kept
from scenarios.faults.place import claimed

async def main(directory):
    async with claimed(directory):
        command = ("sh", "-c", "sleep 300 & wait")
        kept = Kept("sleeper", command, directory / "stand")
        await kept.start()
        print(kept.recorded.pid, flush=True)
        await asyncio.sleep(300)

asyncio.run(main(Path(sys.argv[1])))
"""


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def test_what_a_killed_run_started_ends_and_its_place_can_be_taken(tmp_path: Path) -> None:
    directory = tmp_path / "seed-1"
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(directory), stdout=asyncio.subprocess.PIPE
    )
    assert run.stdout is not None
    kept = psutil.Process(int(await run.stdout.readline()))
    await until(lambda: bool(kept.children()))
    below = [kept, *kept.children(recursive=True)]
    run.kill()
    await run.wait()
    await until(lambda: not any(is_alive(one) for one in below))
    async with claimed(directory):
        assert [one.name for one in (directory / "stand").iterdir()] == ["run.pid"]


async def test_a_run_that_is_under_way_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "LOCK_SECONDS_MAX", 0.3)
    async with claimed(tmp_path / "seed-1"):
        (tmp_path / "seed-1" / "faults.jsonl").touch()
        with pytest.raises(StandFailedError, match="another run is under way"):
            async with claimed(tmp_path / "seed-1"):
                pass
        assert (tmp_path / "seed-1" / "faults.jsonl").exists()
    async with claimed(tmp_path / "seed-1"):
        assert not (tmp_path / "seed-1" / "faults.jsonl").exists()


@pytest.mark.parametrize("what", ["folder", "file", "link"])
async def test_what_is_no_run_is_never_removed(tmp_path: Path, what: str) -> None:
    directory, other = tmp_path / "seed-1", tmp_path / "other"
    (other / "stand").mkdir(parents=True)
    (other / "stand" / "letters").touch()
    if what == "link":
        (other / "stand" / "run.pid").touch()
        directory.symlink_to(other)
    elif what == "file":
        directory.touch()
    else:
        other.rename(directory)
    with pytest.raises(StandFailedError, match="is no run of `standfast faults`"):
        async with claimed(directory):
            pass
    assert directory.is_file() if what == "file" else (directory / "stand/letters").exists()


async def test_a_pid_that_another_process_has_now_is_not_ours(tmp_path: Path) -> None:
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    found = record("sleeper", sleeper.pid)
    assert found is not None
    remember(tmp_path, found)
    assert remembered(tmp_path) == [found]
    path = tmp_path / "sleeper.json"
    ticks = found.seen.start_time_ticks
    path.write_text(path.read_text().replace(str(ticks), str(ticks - 1)))
    assert remembered(tmp_path) == []
    path.write_text("{")
    assert remembered(tmp_path) == []
    sleeper.kill()
    await sleeper.wait()
