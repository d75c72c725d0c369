"""The demo's choices: where PostgreSQL lives and who may reach it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from scenarios.demo import postgres
from scenarios.demo.postgres import Postgres
from scenarios.demo.receiver import Ledger
from scenarios.demo.settings import (
    DemoUnavailableError,
    ensure_settings,
    free_ports,
    read_settings,
    write_private,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_place_under_a_closed_directory_is_out_of_reach(tmp_path: Path) -> None:
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    assert not postgres.is_reachable(closed / "demo" / "database", "nobody")
    assert postgres.is_reachable(postgres.PLACE_FOR_ROOT / "x", "nobody")


def test_a_user_out_of_reach_gets_a_place_of_the_system(tmp_path: Path) -> None:
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    assert postgres.choose_home(closed, "x1", "nobody") == postgres.PLACE_FOR_ROOT / "x1"
    assert postgres.choose_home(closed, "x1", None) == closed / "database"


def test_a_copy_of_the_programs_runs(tmp_path: Path) -> None:
    programs = postgres.find_programs()
    copied = postgres.copy_programs(programs, tmp_path / "programs")
    again = postgres.copy_programs(programs, tmp_path / "programs")
    assert copied == again
    output = subprocess.run([copied / "pg_isready", "--version"], check=True, capture_output=True)
    assert b"PostgreSQL" in output.stdout


def test_data_of_another_major_version_is_refused(tmp_path: Path) -> None:
    found = Postgres(programs=postgres.find_programs(), home=tmp_path, user=None)
    found.data.mkdir()
    (found.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(DemoUnavailableError, match="made by PostgreSQL 9"):
        postgres.check_version(found)


def test_settings_are_chosen_once(tmp_path: Path) -> None:
    assert read_settings(tmp_path) is None
    first = ensure_settings(tmp_path)
    assert ensure_settings(tmp_path) == first
    assert len(set(first.ports.model_dump().values())) == 4


def test_damaged_settings_are_refused(tmp_path: Path) -> None:
    write_private(tmp_path / "demo.json", "{}")
    with pytest.raises(DemoUnavailableError, match="is damaged"):
        read_settings(tmp_path)


def test_free_ports_differ() -> None:
    ports = free_ports().model_dump().values()
    assert len(set(ports)) == len(ports)


async def test_a_full_ledger_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    assert await ledger.append({"body": "x"}) == 1
    monkeypatch.setattr("scenarios.demo.receiver.LEDGER_BYTES_MAX", 10)
    assert await ledger.append({"body": "x"}) is None
    assert len(ledger.entries()) == 1
    ledger.close()
