"""Child processes under names: each runs at most once, whoever is killed at whatever moment.

A child runs in a session of its own and outlives its supervisor, who finds it again by its record.
Two things guard against a second start: the child itself holds an exclusive lock from before it is
recorded until it and all its descendants are gone, and the record names the living process (for
programs that close every descriptor). A program must stay in the foreground.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import time
from typing import TYPE_CHECKING

from effects.recovery.child import (
    Exited,
    NeverStarted,
    Refused,
    Running,
    Zombie,
)
from effects.recovery.launch import Held, Places, child_of, launch
from effects.recovery.running import (
    end_members,
    exit_code_of_child,
    is_launching,
    members_of,
    pids_with_open,
    read_record,
    recorded_process,
    send,
    wait_end,
)

if TYPE_CHECKING:
    from pathlib import Path

    from effects.recovery.child import (
        Child,
        ChildSpec,
        Look,
    )
    from effects.recovery.running import (
        Record,
        Seen,
    )

LOCK_TIMEOUT_SECONDS = 5.0
LOCK_RETRY_SECONDS = 0.02
GRACE_SECONDS = 0.5
KILL_TIMEOUT_SECONDS = 10.0


class ChildProcesses:
    """The children recorded in one directory (made with mode 0700)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._codes: dict[str, tuple[str, int]] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def start(self, spec: ChildSpec) -> Child | Refused:
        """Start the child, or adopt the one that runs. Leftovers of an earlier run are ended."""
        async with self._turn(spec.name):
            return await self._start(spec)

    async def stop(self, name: str) -> Exited | NeverStarted | Refused:
        """Stop the child and all it started: its stop signal, and kill -9 after its time-out."""
        async with self._turn(name):
            return await self._stop(name)

    async def restart(self, spec: ChildSpec) -> Child | Refused:
        """Stop whatever runs under the name, then start."""
        async with self._turn(spec.name):
            stopped = await self._stop(spec.name)
            return stopped if isinstance(stopped, Refused) else await self._start(spec)

    def adopt(self, name: str) -> Child | None:
        """Give the child that already runs under the name, whoever started it."""
        record = self._record(name)
        if record is None or not isinstance(self._look(record), Running):
            return None
        return child_of(record, is_adopted=True)

    def look(self, name: str) -> Look:
        """Say what became of the child. A zombie of ours is reaped, and counts as exited."""
        record = self._record(name)
        return NeverStarted() if record is None else self._look(record)

    async def wait_exit(self, name: str) -> Exited | Zombie | NeverStarted:
        """Wait until the recorded process has ended, ours or adopted."""
        record = self._record(name)
        seen = recorded_process(record) if record else None
        if record is None or seen is None:
            return NeverStarted() if record is None else Exited(code=self._code(record))
        await wait_end(seen)
        return self._reap(record)

    def kill(self, name: str) -> list[int]:
        """Kill -9 the child's process group, as a fault would; gives the pids that were hit."""
        record = self._record(name)
        return self._signal_group(record, signal.SIGKILL) if record else []

    def bound_log(self, spec: ChildSpec) -> None:
        """Copy a log that has outgrown its bound to `.1` and empty it; the child writes on."""
        path = self.log_path(spec)
        if path.exists() and path.stat().st_size > spec.log_bytes_max:
            shutil.copyfile(path, f"{path}.1")
            os.truncate(path, 0)

    def log_path(self, spec: ChildSpec) -> Path:
        """Give the file that gets the child's output."""
        return (spec.log_path or self._path(spec.name, "log")).absolute()

    def _path(self, name: str, ending: str) -> Path:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name), f"not a name: {name!r}"
        return self.directory / f"{name}.{ending}"

    def _record(self, name: str) -> Record | None:
        return read_record(self._path(name, "json"))

    def _turn(self, name: str) -> asyncio.Lock:
        return self._turns.setdefault(name, asyncio.Lock())

    def _code(self, record: Record) -> int | None:
        run, code = self._codes.get(record.name, ("", 0))
        return code if run == record.run else None

    def _look(self, record: Record) -> Running | Exited | Zombie:
        """Look at one run: whoever acts on what it sees must not read the record again."""
        seen = recorded_process(record)
        if seen is None:
            return Exited(code=self._code(record))
        if not seen.is_zombie:
            return Running(pid=record.pid, started_seconds=record.launched_seconds)
        return self._reap(record)

    def _reap(self, record: Record) -> Exited | Zombie:
        """Take the exit code of an ended process where it is our child."""
        code = exit_code_of_child(record.pid)
        if isinstance(code, int):
            self._codes[record.name] = (record.run, code)
        if code == "not ours" and recorded_process(record) is not None:
            return Zombie(pid=record.pid)
        return Exited(code=self._code(record))

    def _signal_group(self, record: Record, number: int) -> list[int]:
        group = [seen for seen in members_of(record) if seen.group == record.pid]
        return [seen.pid for seen in group if send(seen, number)]

    async def _stop(self, name: str) -> Exited | NeverStarted | Refused:
        record = self._record(name)
        if record is None:
            return NeverStarted()
        seen = recorded_process(record)
        if seen is not None and not seen.is_zombie:
            self._signal_group(record, record.stop_signal)
            await wait_end(seen, record.stop_timeout_seconds)
        return await self._end_run(record, seen) or Exited(code=self._code(record))

    async def _end_run(self, record: Record, leader: Seen | None) -> Refused | None:
        """End all that is left of a run, the leader too, and keep its exit code."""
        still_runs = leader is not None and recorded_process(record) is not None
        grace_seconds = 0.0 if still_runs else GRACE_SECONDS
        left = await end_members(record, grace_seconds, KILL_TIMEOUT_SECONDS)
        self._look(record)
        if left:
            reason = f"processes {left} of {record.name} still exist after kill -9"
            return Refused(name=record.name, reason=reason)
        return None

    async def _start(self, spec: ChildSpec) -> Child | Refused:
        deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
        while True:
            outcome = await self._start_once(spec)
            if not isinstance(outcome, Held):
                return outcome
            if time.monotonic() > deadline:
                return Refused(name=spec.name, reason=self._held_by_stranger(spec.name))
            await asyncio.sleep(LOCK_RETRY_SECONDS)

    async def _start_once(self, spec: ChildSpec) -> Child | Refused | Held:
        """Adopt what runs, or end what is left of it and launch."""
        record = self._record(spec.name)
        if record is not None and isinstance(self._look(record), Running):
            return Held() if is_launching(record.pid) else child_of(record, is_adopted=True)
        if record is not None and (refused := await self._end_run(record, None)):
            return refused
        return await launch(spec, self._places(spec))

    def _places(self, spec: ChildSpec) -> Places:
        lock, record = self._path(spec.name, "lock"), self._path(spec.name, "json")
        return Places(lock=lock, record=record, log=self.log_path(spec))

    def _held_by_stranger(self, name: str) -> str:
        lock = self._path(name, "lock")
        holders = ", ".join(str(pid) for pid in pids_with_open(lock)) or "unknown"
        return f"{lock} is held by a process that {name} did not start (pid: {holders})"
