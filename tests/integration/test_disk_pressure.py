"""On a small disk of its own: telemetry shrinks, people are told, and not one commit goes."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "small_disk_program.py"
ROOT = Path(__file__).parent.parent.parent
UNSHARE = shutil.which("unshare")


def _may_mount() -> bool:
    if os.geteuid() != 0 or UNSHARE is None:
        return False
    return subprocess.run([UNSHARE, "-m", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="a mount namespace needs root")
async def test_telemetry_gives_way_and_comes_back_and_no_commit_goes(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = f"mount -t tmpfs -o size=256m small {folder}"
    script = f"{mount} && exec {sys.executable} {PROGRAM} {folder}"
    process = await asyncio.create_subprocess_exec(
        str(UNSHARE),
        "-m",
        "sh",
        "-c",
        script,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, output.decode()
    assert b"all is well" in output
