"""Only a process that was recorded is signalled, never a later one with its pid."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from effects.recovery.running import Seen
from scenarios.faults.recorded import Recorded, descendant, descendant_named, record
from tests.waiting import until

NAP = "import time; time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {NAP!r}])"


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A process with one child."""
    process = subprocess.Popen([sys.executable, "-c", PARENT])
    yield process
    found = record("parent", process.pid)
    for pid in found.descendants() if found else ():
        child = record("child", pid)
        assert child is None or child.kill()
    process.kill()
    process.wait()


def test_a_recorded_process_is_killed(parent: subprocess.Popen[bytes]) -> None:
    found = record("parent", parent.pid)
    assert found is not None
    for pid in found.descendants():
        child = record("child", pid)
        assert child is None or child.kill()
    assert found.kill()
    parent.wait()
    assert not found.is_alive
    assert not found.kill()
    assert record("parent", parent.pid) is None


def test_another_process_with_the_recorded_pid_is_left_alone(
    parent: subprocess.Popen[bytes],
) -> None:
    found = record("parent", parent.pid)
    assert found is not None
    earlier = found.seen.start_time_ticks - 1
    seen = Seen.model_validate({**found.seen.model_dump(), "start_time_ticks": earlier})
    other = Recorded("other", seen)
    assert not other.is_alive
    assert not other.kill()
    assert parent.poll() is None


async def test_who_does_not_descend_from_a_recorded_process_is_not_recorded(
    parent: subprocess.Popen[bytes],
) -> None:
    found = record("parent", parent.pid)
    assert found is not None
    await until(found.descendants)
    (pid,) = found.descendants()
    child = descendant(found, "child", pid)
    assert child is not None
    assert child.pid == pid
    assert descendant(child, "parent", parent.pid) is None
    assert descendant_named(found, "no such program") is None
