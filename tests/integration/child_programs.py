"""Programs, supervisors and waits for tests of real child processes."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from effects.recovery.child import Child, ChildSpec
from effects.recovery.process import ChildProcesses
from effects.recovery.running import look_at

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 20.0
SLEEP = shutil.which("sleep") or "sleep"


def sleeper(**more: object) -> ChildSpec:
    return ChildSpec.model_validate({"name": "sleeper", "command": ("sleep", "600"), **more})


def python(code: str, name: str = "program", **more: object) -> ChildSpec:
    command = (sys.executable, "-c", textwrap.dedent(code))
    return ChildSpec.model_validate({"name": name, "command": command, **more})


async def started(children: ChildProcesses, spec: ChildSpec) -> Child:
    child = await children.start(spec)
    assert isinstance(child, Child), child
    return child


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - the world sends no event
            await asyncio.sleep(0.01)


def lives(pid: int) -> bool:
    seen = look_at(pid)
    return seen is not None and not seen.is_zombie


def text_of(path: str) -> str:
    return Path(path).read_text()


def stranger_process() -> subprocess.Popen[bytes]:
    return subprocess.Popen([SLEEP, "600"], start_new_session=True)


def supervise(directory: Path, after: str) -> subprocess.Popen[str]:
    """Run a supervisor in a process of its own: it starts the sleeper, then does what follows."""
    code = f"""
import asyncio, os, signal
from pathlib import Path
from effects.recovery.child import ChildSpec
from effects.recovery.process import ChildProcesses

async def main():
    children = ChildProcesses(Path({str(directory)!r}))
    print("starting", flush=True)
    child = await children.start(ChildSpec(name="sleeper", command=("sleep", "600")))
    print(child.pid, child.is_adopted, flush=True)
    {after}

asyncio.run(main())
"""
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


FORKING = """
    import os, subprocess, sys, time
    same = subprocess.Popen(["sleep", "601"])
    own_session = subprocess.Popen(["sleep", "602"], start_new_session=True, close_fds=False)
    no_descriptors = subprocess.Popen(["sleep", "603"], start_new_session=True)
    print(same.pid, own_session.pid, no_descriptors.pid, flush=True)
    time.sleep(600)
"""
