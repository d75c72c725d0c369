"""A launch is an order to the launcher, which becomes the program or says why it can't."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from effects.recovery import launcher
from effects.recovery.child import Child, Refused, account_of, environment_of
from effects.recovery.running import MARK_VARIABLE, read_record, wait_readable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from effects.recovery.child import ChildSpec
    from effects.recovery.running import Record

LAUNCH_TIMEOUT_SECONDS = 10.0
STATUS_BYTES_MAX = 4096
ORDER_BYTES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Held:
    """Another process holds the lock."""


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one child."""

    lock: Path
    record: Path
    log: Path


async def launch(spec: ChildSpec, places: Places) -> Child | Refused | Held:
    """Start the program, unless another process holds its lock."""
    if reason := _mistake_in(spec):
        return Refused(name=spec.name, reason=reason)
    run = secrets.token_hex(16)
    pid, status = _spawn(_order(spec, places, run), environment_of(spec) | {MARK_VARIABLE: run})
    try:
        answer = await _answer(status)
    finally:
        os.close(status)
    record = read_record(places.record)
    if answer == b"" and record is not None and record.run == run:
        return child_of(record, is_adopted=False)
    await _end_launcher(pid)
    return _failure(spec.name, answer)


def child_of(record: Record, *, is_adopted: bool) -> Child:
    """Describe the child that a record speaks of."""
    return Child(
        name=record.name,
        pid=record.pid,
        run=record.run,
        command=record.command,
        is_adopted=is_adopted,
    )


def _failure(name: str, answer: bytes | None) -> Refused | Held:
    """Judge the answer of a launcher that did not become the program."""
    if not answer:
        ended = "did not answer" if answer is None else "was killed"
        return Refused(name=name, reason=f"the launcher of {name} {ended}")
    said = json.loads(answer)
    return Held() if said["held"] else Refused(name=name, reason=said["reason"])


def _order(spec: ChildSpec, places: Places, run: str) -> str:
    """Write the launcher's order."""
    keep = {
        "name": spec.name,
        "command": spec.command,
        "stop_signal": int(spec.stop_signal),
        "stop_timeout_seconds": spec.stop_timeout_seconds,
    }
    order = {
        "supervisor": os.getpid(),
        "run": run,
        "lock": str(places.lock),
        "record": str(places.record),
        "log": str(places.log),
        "log_bytes_max": spec.log_bytes_max,
        "directory": str(spec.working_directory.absolute()),
        "command": spec.command,
        "user": account_of(spec),
        "keep": keep,
    }
    return json.dumps(order)


def _mistake_in(spec: ChildSpec) -> str | None:
    """Say in a sentence what can't work, before anything is launched."""
    checks: tuple[Callable[[ChildSpec], str | None], ...] = (
        _mistake_in_user,
        _mistake_in_directory,
        _mistake_in_command,
    )
    return next((reason for check in checks if (reason := check(spec))), None)


def _mistake_in_user(spec: ChildSpec) -> str | None:
    account = account_of(spec)
    if account == "unknown":
        return f"there is no user {spec.user}"
    if account == "not allowed":
        return f"only root can run {spec.name} as {spec.user}"
    return None


def _mistake_in_directory(spec: ChildSpec) -> str | None:
    if not spec.working_directory.exists():
        return f"the working directory {spec.working_directory} does not exist"
    if not spec.working_directory.is_dir():
        return f"the working directory {spec.working_directory} is not a directory"
    return None


def _mistake_in_command(spec: ChildSpec) -> str | None:
    if len(json.dumps(spec.command)) > ORDER_BYTES_MAX:
        return f"the command is longer than {ORDER_BYTES_MAX} bytes"
    program = spec.command[0]
    if "/" in program:
        return _mistake_in_file(spec.working_directory / program)
    if shutil.which(program, path=environment_of(spec).get("PATH")) is None:
        return f"the command {program} was not found on PATH"
    return None


def _mistake_in_file(path: Path) -> str | None:
    if not path.exists():
        return f"the command {path} was not found"
    if not path.is_file() or not os.access(path, os.X_OK):
        return f"the command {path} is not executable"
    return None


def _spawn(order: str, environment: dict[str, str]) -> tuple[int, int]:
    """Fork the launcher into its own session; gives its pid and the end of its status pipe."""
    status, theirs = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", launcher.__file__, order, str(theirs)],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(theirs,),
        )
    except OSError:
        os.close(status)
        raise
    finally:
        os.close(theirs)
    # The child outlives this object, which would reap it behind our back: it is told all is over.
    process.returncode = 0
    return process.pid, status


async def _answer(status: int) -> bytes | None:
    """Read what the launcher says: nothing once it is the program; None when it hangs."""
    if not await wait_readable(status, LAUNCH_TIMEOUT_SECONDS):
        return None
    return os.read(status, STATUS_BYTES_MAX)


async def _end_launcher(pid: int) -> None:
    """Kill and reap our own child, whose pid therefore can't be another's."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        await asyncio.to_thread(os.waitpid, pid, 0)
