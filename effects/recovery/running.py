"""Processes are known by pid, start time and boot; only what is proven ours is ever signalled.

A pid alone proves nothing: it is used again. A process belongs to a run when it is the recorded
process (same boot and start time), or inherited the run's mark (a descriptor or an environment
variable that names the run), or shares a session with such a process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeInt, PositiveInt, ValidationError

from effects.recovery import launcher
from effects.recovery.launcher import MARK, START_TIME, boot_id, stat_fields
from events.base import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARK_VARIABLE = "STANDFAST_RUN"
SCAN_AGAIN_SECONDS = 0.5


class Seen(Value):
    """A process as the kernel showed it; a zombie has ended but was not yet reaped."""

    pid: PositiveInt
    group: NonNegativeInt
    session: NonNegativeInt
    start_time_ticks: NonNegativeInt
    is_zombie: bool


class Record(Value):
    """What a launched process wrote about itself before it became the program."""

    name: str
    run: str
    pid: PositiveInt
    start_time_ticks: NonNegativeInt
    boot_id: str
    launched_seconds: float
    command: tuple[str, ...]
    stop_signal: int
    stop_timeout_seconds: float


def read_record(path: Path) -> Record | None:
    """Read a record; None where there is none, or a power cut left it unreadable."""
    try:
        return Record.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def look_at(pid: int) -> Seen | None:
    """Look a process up in the kernel's table; None where it is gone."""
    try:
        fields = stat_fields(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Seen(
        pid=pid,
        group=max(0, int(fields[2])),
        session=max(0, int(fields[3])),
        start_time_ticks=int(fields[START_TIME]),
        is_zombie=fields[0] in "ZX" and _threads_of(pid) <= 1,
    )


def _threads_of(pid: int) -> int:
    """Count the threads: a process whose first thread ended lives on in the others."""
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return 0


def recorded_process(record: Record) -> Seen | None:
    """Give the recorded process, alive or zombie; None where its pid is free or another's."""
    seen = look_at(record.pid)
    if seen is None or seen.start_time_ticks != record.start_time_ticks:
        return None
    return seen if boot_id() == record.boot_id else None


def _all_processes() -> Iterator[Seen]:
    """Go through the kernel's table."""
    for pid in _pids():
        if (seen := look_at(pid)) is not None:
            yield seen


def is_launching(pid: int) -> bool:
    """Say whether a process is still the launcher, which may yet fail to become the program."""
    with suppress(OSError):
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return launcher.__file__.encode() in arguments
    return False


def _pids() -> list[int]:
    """List every process that may be seen from here."""
    with os.scandir("/proc") as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit()]


def _descriptors(pid: int) -> list[str]:
    """List what a process has open; nothing where we may not look."""
    links = []
    with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            with suppress(OSError):
                links.append(os.readlink(entry.path))  # noqa: PTH115 - thousands of them
    return links


def _is_marked(pid: int, run: str) -> bool:
    """Say whether the process inherited the run's mark."""
    with suppress(OSError):
        variable = f"{MARK_VARIABLE}={run}".encode()
        if variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return True
    return any(link.startswith(f"/memfd:{MARK}{run}") for link in _descriptors(pid))


def members_of(record: Record) -> list[Seen]:
    """Find every living process that is proven to belong to the recorded run."""
    if boot_id() != record.boot_id:
        return []
    processes = [seen for seen in _all_processes() if not seen.is_zombie]
    proven = {seen.pid for seen in processes if _is_marked(seen.pid, record.run)}
    if recorded_process(record) is not None:
        proven.add(record.pid)
    is_session_ours = record.pid in proven or any(
        seen.session == record.pid for seen in processes if seen.pid in proven
    )
    return [
        seen
        for seen in processes
        if seen.pid in proven or (is_session_ours and seen.session == record.pid)
    ]


def pids_with_open(path: Path) -> list[int]:
    """Find who has a file open, as far as we may look."""
    return [pid for pid in _pids() if str(path) in _descriptors(pid)]


def send(process: Seen, number: int) -> bool:
    """Signal exactly this process, never a later one with its pid; false when it is gone."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        now = look_at(process.pid)
        if now is None or now.start_time_ticks != process.start_time_ticks:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def wait_readable(descriptor: int, timeout_seconds: float | None) -> bool:
    """Wait until a descriptor has something to read; false when the time is up first."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _set, ready)
    try:
        async with asyncio.timeout(timeout_seconds):
            await ready
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True


async def wait_end(process: Seen, timeout_seconds: float | None = None) -> bool:
    """Wait until a process has ended, whoever its parent is; false when the time is up first."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        now = look_at(process.pid)
        if now is None or now.start_time_ticks != process.start_time_ticks:
            return True
        return await wait_readable(descriptor, timeout_seconds)
    finally:
        os.close(descriptor)


async def wait_ends(processes: Iterable[Seen], timeout_seconds: float) -> None:
    """Wait until all have ended, or the time is up."""
    await asyncio.gather(*(wait_end(process, timeout_seconds) for process in processes))


async def end_members(record: Record, grace_seconds: float, timeout_seconds: float) -> list[int]:
    """End what is left of a run: wait for it, then kill -9. Gives the pids that would not go."""
    await wait_ends(members_of(record), grace_seconds)
    deadline = time.monotonic() + timeout_seconds
    while (left := members_of(record)) and time.monotonic() < deadline:
        for process in left:
            send(process, signal.SIGKILL)
        await wait_ends(left, SCAN_AGAIN_SECONDS)
    return [process.pid for process in left]


def exit_code_of_child(pid: int) -> int | Literal["running", "not ours"]:
    """Reap a child of this process. The code is negative for a signal, as in `subprocess`."""
    try:
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return "not ours"
    if result is None:
        return "running"
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
