"""A run's records are read strictly: what is not as it must be is named by file and line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scenarios.checker.records import (
    Invoked,
    UnusableRunError,
    read_commands,
    read_faults,
    read_ledger,
    read_outages,
    read_states,
)
from scenarios.checker.run import read_run
from scenarios.checker.run_file import read_run_file

if TYPE_CHECKING:
    from pathlib import Path

TIME = "2026-11-25T12:00:00+00:00"
INVOKE = {
    "type": "invoke",
    "command_id": "c1",
    "entity": "service/a",
    "command": "RequestProbe",
    "monotonic": 1.0,
}
OK = {"type": "ok", "command_id": "c1", "outcome": "done", "sequence": 7, "monotonic": 2}
DELIVERY = {"key": "k", "fence": 3, "alert": "alert/a", "status": "firing", "time": TIME}
OUTAGE = {"service": "a", "began": TIME, "ended": None}
STATE = {
    "entity": "service/a",
    "head": 3,
    "digest": "00",
    "state": "{}",
    "marks": {"tell": 1},
    "source": "live",
}
FAULT = {
    "number": 1,
    "fault": "kill",
    "target": "alert-host",
    "began": 10.0,
    "time": TIME,
    "in_flight": 4,
}
RUN = {"format": 1, "seed": 1, "began": TIME, "ended": TIME, "settings": {}}

READERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "commands": (read_commands, INVOKE),
    "ledger": (lambda path: read_ledger(path, "ops"), DELIVERY),
    "outages": (read_outages, OUTAGE),
    "states": (read_states, STATE),
    "faults": (read_faults, FAULT),
}


def written(path: Path, *lines: dict[str, Any] | str) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts))
    return path


@pytest.mark.parametrize("name", READERS)
def test_a_line_without_one_of_its_fields_is_named(tmp_path: Path, name: str) -> None:
    read, whole = READERS[name]
    optional = {"status"}
    for missing in whole.keys() - optional:
        line = {key: value for key, value in whole.items() if key != missing}
        path = written(tmp_path / f"{name}.jsonl", whole, line, whole)
        with pytest.raises(UnusableRunError, match=f"{name}.jsonl, line 2"):
            list(read(path))


@pytest.mark.parametrize("name", READERS)
def test_a_field_of_another_type_is_named(tmp_path: Path, name: str) -> None:
    read, whole = READERS[name]
    for field in whole:
        path = written(tmp_path / f"{name}.jsonl", {**whole, field: ["odd"]})
        with pytest.raises(UnusableRunError, match=f"{name}.jsonl, line 1"):
            list(read(path))


@pytest.mark.parametrize("name", READERS)
def test_what_a_kill_tore_is_left_out_and_nothing_else_is(tmp_path: Path, name: str) -> None:
    read, whole = READERS[name]
    torn = json.dumps(whole)[:-9]
    for lines in ((whole, torn), (torn, whole), (whole, "", torn + "\n")):
        assert len(list(read(written(tmp_path / f"{name}.jsonl", *lines)))) == 1
    path = written(tmp_path / f"{name}.jsonl", "garbage", whole)
    with pytest.raises(UnusableRunError, match="line 1"):
        list(read(path))


def test_a_worker_writes_what_it_invoked_and_what_came_back(tmp_path: Path) -> None:
    path = written(tmp_path / "commands-a.jsonl", INVOKE, OK, {**OK, "type": "unknown"})
    invoked, ok, unknown = read_commands(path)
    assert isinstance(invoked, Invoked)
    assert [ok.kind, unknown.kind] == ["ok", "unknown"]  # type: ignore[union-attr]
    with pytest.raises(UnusableRunError, match="line 1"):
        list(read_commands(written(path, {**OK, "type": "maybe"})))


def test_a_worker_whose_clock_went_back_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "commands-a.jsonl", INVOKE, {**OK, "monotonic": 0.5})
    with pytest.raises(UnusableRunError, match="its times do not rise"):
        list(read_commands(path))


def test_a_fault_has_a_line_when_it_begins_and_one_when_it_is_healed(tmp_path: Path) -> None:
    other = {**FAULT, "number": 2}
    path = written(tmp_path / "faults.jsonl", FAULT, other, {**FAULT, "ended": 12.5})
    healed, open_still = read_faults(path)
    assert healed.ended == datetime(2026, 11, 25, 12, 0, 2, 500_000, tzinfo=UTC)
    assert open_still.ended is None


def test_a_directory_without_a_whole_run_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(UnusableRunError, match=r"run\.json is missing"):
        read_run(tmp_path)
    written(tmp_path / "run.json", RUN)
    with pytest.raises(UnusableRunError, match=r"log\.archive is missing"):
        read_run(tmp_path)
    for wrong in ({**RUN, "format": 2}, {**RUN, "began": "noon"}, {"format": 1}):
        with pytest.raises(UnusableRunError, match=r"run\.json"):
            read_run_file(written(tmp_path / "run.json", wrong))
