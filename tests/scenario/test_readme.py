"""Every command in README and docs does what it says, beside a running system."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.standing import ROOT, Standing
from tests.uncovered import uncovered

PAGES = ("README.md", "docs/operations.md", "CONTRIBUTING.md")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED_FILE = re.compile(r"^# (\S+\.yaml)\n")
SECONDS_MAX = 120
LONG = ("standfast faults", "standfast upgrade", "standfast log restore", "standfast log import")
"""These are run by tests of their own; here it is seen that they take the options as written."""
OPTION = re.compile(r"(?<= )--?[a-z][a-z-]*")


def blocks(page: str, language: str) -> Iterator[str]:
    """Give the blocks of a language on a page."""
    for found, text in BLOCK.findall((ROOT / page).read_text()):
        if found == language:
            yield text


def commands() -> list[str]:
    """Give every command of every page, without its comment."""
    lines = [line for page in PAGES for text in blocks(page, "sh") for line in text.splitlines()]
    return [line.split(" #")[0].strip() for line in lines if line.strip()]


def verbs() -> list[str]:
    """Give every verb of make that a page names."""
    texts = [(ROOT / page).read_text() for page in PAGES]
    return sorted({verb for text in texts for verb in re.findall(r"\bmake ([a-z]+)\b", text)})


@pytest.mark.parametrize("verb", [verb for verb in verbs() if verb != "and"])
def test_make_knows_the_verb(verb: str) -> None:
    make = shutil.which("make")
    assert make is not None, "the README asks for make"
    subprocess.run([make, "--dry-run", verb], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.timeout(300)
async def test_every_command_works_as_written(standing: Standing, tmp_path: Path) -> None:
    await standing.wait_ready()
    await standing.wait_for("/api/services", _are_healthy, 120)
    before = await standing.wait_for("/api/incidents", partial(_are_over, 0))
    _write_named_files(tmp_path)
    environment = {
        **standing.environment,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    told = [line for line in commands() if not line.startswith(("make ", "source ", "pip "))]
    assert len(told) >= 12
    for line in told:
        if long := next((one for one in LONG if line.startswith(one)), ""):
            known = await _run(f"{long} --help", tmp_path, environment)
            assert all(option in known for option in OPTION.findall(line)), line
            continue
        around = uncovered(environment) if line.startswith("standfast simulate") else environment
        await _run(line.replace("8420", str(standing.port)), tmp_path, around)
        if "demo break" in line:
            incidents = len(before["incidents"]) + 1
            await standing.wait_for("/api/incidents", partial(_are_over, incidents))


async def _run(line: str, folder: Path, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        line,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS_MAX)
    except TimeoutError:
        process.kill()
        await process.communicate()
        pytest.fail(f"{line}: not done after {SECONDS_MAX} s")
    assert process.returncode == 0, f"{line}: {output.decode()}"
    return output.decode()


def _are_healthy(answer: Any) -> bool:
    return all(one["state"] == "healthy" for one in answer["services"])


def _are_over(count: int, answer: Any) -> bool:
    """Say whether there were so many incidents, and all are resolved."""
    states = [one["state"] for one in answer["incidents"]]
    return states == ["resolved"] * count if count else set(states) <= {"resolved"}


def _write_named_files(folder: Path) -> None:
    for page in PAGES:
        for text in blocks(page, "yaml"):
            if named := NAMED_FILE.match(text):
                (folder / named[1]).write_text(text)
