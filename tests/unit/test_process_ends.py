"""How a process of ours ended is said in one line: a wanted end is no crash."""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from typing import TYPE_CHECKING

import psutil
import pytest

from events.log_errors import LogReplacedError
from standfast.doctor import processes
from standfast.roles.process import _code_of

if TYPE_CHECKING:
    from pathlib import Path

REPLACED = LogReplacedError("generation 2 of the log took the place of 1")
BOUND = ValueError("a bug")


async def _ended(error: BaseException) -> asyncio.Task[None]:
    async def work() -> None:
        raise error

    task = asyncio.create_task(work())
    await asyncio.wait([task])
    return task


@pytest.mark.parametrize(
    "error",
    [REPLACED, ExceptionGroup("tasks", [ExceptionGroup("more tasks", [REPLACED]), REPLACED])],
)
async def test_a_restored_log_ends_a_process_in_order_with_one_line(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    assert _code_of(await _ended(error)) == 0
    (record,) = caplog.records
    assert "begins anew: generation 2 of the log" in record.getMessage()
    assert record.exc_info is None


async def test_another_error_beside_it_is_not_kept_back() -> None:
    with pytest.raises(ExceptionGroup, match="tasks") as found:
        _code_of(await _ended(ExceptionGroup("tasks", [REPLACED, BOUND])))
    assert found.value.exceptions == (BOUND,)


def _log(path: Path, error: Exception) -> None:
    try:
        raise error
    except type(error):
        with path.open("a") as file:
            file.write(traceback.format_exc())


def test_the_last_words_of_a_group_of_errors_are_words(tmp_path: Path) -> None:
    path = tmp_path / "prober.log"
    _log(path, ExceptionGroup("tasks", [ExceptionGroup("more", [BOUND])]))
    assert path.read_text().strip().endswith("---")
    assert processes._last_words(path) == "ValueError: a bug"


async def test_beginning_anew_with_a_restored_log_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "prober.log"
    up_seconds = time.time() - psutil.Process(os.getpid()).create_time()
    monkeypatch.setattr(processes, "YOUNG_SECONDS", up_seconds * 0.8)
    monkeypatch.setattr(processes, "OLD_SECONDS", up_seconds * 0.9)
    young = await asyncio.create_subprocess_exec("sleep", "60")
    _log(path, BOUND)
    assert processes.look_at("prober", young.pid, path, os.getpid()).state == "warning"
    _code_of(await _ended(REPLACED))
    with path.open("a") as file:
        file.write(f"{caplog.text}\nand the first words of its successor\n")
    assert processes.look_at("prober", young.pid, path, os.getpid()).state == "ok"
    _log(path, BOUND)
    found = processes.look_at("prober", young.pid, path, os.getpid())
    assert (found.state, "a bug" in found.message) == ("warning", True)
    young.kill()
    await young.wait()
