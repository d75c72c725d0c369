"""The launcher takes its lock, records itself, and says why it can't become the program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from effects.recovery import launcher
from effects.recovery.running import read_record

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 20
LAUNCH = "import sys; from effects.recovery import launcher as l; l.main(l.json.loads({!r}), {})"


@pytest.fixture
def order(tmp_path: Path) -> dict[str, Any]:
    keep = {"name": "x", "command": ["x"], "stop_signal": 15, "stop_timeout_seconds": 1.0}
    return {
        "supervisor": os.getpid(),
        "run": "0" * 32,
        "lock": str(tmp_path / "x.lock"),
        "record": str(tmp_path / "x.json"),
        "log": str(tmp_path / "x.log"),
        "log_bytes_max": 100,
        "directory": str(tmp_path),
        "command": ["echo", "out"],
        "user": None,
        "keep": keep,
    }


def answer_to(order: dict[str, Any]) -> dict[str, Any]:
    """Run the launcher; gives what it says on its status descriptor (nothing: it became)."""
    status, theirs = os.pipe()
    code = LAUNCH.format(json.dumps(order), theirs)
    command = [sys.executable, "-c", code]
    subprocess.run(command, cwd=ROOT, pass_fds=(theirs,), check=False, timeout=WAIT_SECONDS)
    os.close(theirs)
    with os.fdopen(status) as file:
        content = file.read()
    said: dict[str, Any] = json.loads(content) if content else {}
    return said


def test_it_becomes_the_program_and_leaves_a_record(order: dict[str, Any]) -> None:
    Path(order["log"]).write_text("x" * 101)
    assert answer_to(order) == {}
    assert Path(order["log"]).read_text() == "out\n"
    assert Path(f"{order['log']}.1").read_text() == "x" * 101
    record = read_record(Path(order["record"]))
    assert record is not None
    assert (record.name, record.run) == ("x", "0" * 32)
    assert not launcher.recorded_lives(order["record"])


def test_it_says_what_the_system_refused(order: dict[str, Any]) -> None:
    order["command"] = ["/no/program"]
    said = answer_to(order)
    assert not said["held"]
    assert said["reason"].startswith("No such file or directory: /no/program (as this user, in ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_says_whom_the_system_refused(order: dict[str, Any]) -> None:
    order["user"] = (65534, 65534, "nobody")
    order["directory"] = "/root"
    assert "(as nobody, in /root)" in answer_to(order)["reason"]


def test_it_gives_way_to_who_has_the_lock(order: dict[str, Any]) -> None:
    assert launcher.take_lock(order["lock"])
    assert not launcher.take_lock(order["lock"])
    assert answer_to(order)["held"]


def test_it_gives_way_to_a_living_process_that_closed_the_lock(order: dict[str, Any]) -> None:
    launcher.write_record(order)
    assert launcher.recorded_lives(order["record"])
    assert answer_to(order)["held"]


def test_it_starts_nothing_for_a_dead_supervisor(order: dict[str, Any]) -> None:
    order["supervisor"] = 1 if os.getpid() != 1 else 2
    assert answer_to(order) == {
        "reason": "its supervisor ended while it was starting",
        "held": False,
    }
    assert not Path(order["log"]).exists()


@pytest.mark.parametrize("content", ["", "{}", '{"pid": 1}', "[]"])
def test_a_damaged_record_names_nobody(order: dict[str, Any], content: str) -> None:
    Path(order["record"]).write_text(content)
    assert not launcher.recorded_lives(order["record"])
