"""Where syncs of processes can't be made to fail, it is said why."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from scenarios.faults.injectors import disk

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_tracer_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await disk.tracing_trouble(tmp_path) == "strace is not installed"


@pytest.mark.parametrize(("scope", "why"), [("1", "ptrace_scope is 1: run as root"), ("0", "")])
async def test_a_tracer_that_may_not_is_named_with_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: str, why: str
) -> None:
    forbidden = tmp_path / "strace"
    forbidden.write_text("#!/bin/sh\nexit 1\n")
    forbidden.chmod(0o755)
    (tmp_path / "scope").write_text(scope)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(disk, "PTRACE_SCOPE", tmp_path / "scope")
    trouble = await disk.tracing_trouble(tmp_path)
    assert trouble.startswith("strace may not trace our processes")
    assert why in trouble
    assert bool(why) == ("(" in trouble)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
async def test_where_it_can_trace_there_is_no_trouble(tmp_path: Path) -> None:
    if os.geteuid() and disk.PTRACE_SCOPE.exists() and disk.PTRACE_SCOPE.read_text() != "0\n":
        pytest.skip("needs root, or kernel.yama.ptrace_scope = 0")
    assert await disk.tracing_trouble(tmp_path) == ""
