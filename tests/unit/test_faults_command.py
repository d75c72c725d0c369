"""`standfast faults`: what has its report is not run again, and its verdict is the exit code."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from events.build import build_id
from scenarios.faults.in_flight import Counts, InFlight, counts_in
from scenarios.faults.lines import JsonLines, read_lines
from scenarios.faults.run import RunSettings
from standfast.cli.app import app

OPTIONS = ["--faults", "2", "--seconds", "4", "--rate", "10", "--parts", "2"]


def _reported(output: Path, seed: int, *, clean: bool) -> None:
    place = output / f"seed-{seed}"
    place.mkdir(parents=True)
    settings = asdict(RunSettings(seed, 2, 4.0, 10.0))
    report = {"clean": clean, "settings": settings, "build": build_id()}
    (place / "report.json").write_text(json.dumps(report))


@pytest.mark.parametrize(("clean", "code"), [(True, 0), (False, 1)])
def test_parts_that_were_run_are_only_read(tmp_path: Path, clean: bool, code: int) -> None:
    _reported(tmp_path, 7, clean=True)
    _reported(tmp_path, 8, clean=clean)
    arguments = ["faults", "--seed", "7", *OPTIONS, "-o", str(tmp_path)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code, done.output
    assert "seed-8" in done.output
    assert ("NOT clean (as it was)" in done.output) is not clean
    told = CliRunner().invoke(app, [*arguments, "--json"])
    assert [part["clean"] for part in json.loads(told.stdout)["parts"]] == [True, clean]


@pytest.mark.parametrize(
    "wrong", [["--faults", "0"], ["--rate", "nan"], ["--parts", "1000"], ["--seed", "9" * 30]]
)
def test_a_run_is_bounded(wrong: list[str]) -> None:
    assert CliRunner().invoke(app, ["faults", *wrong]).exit_code == 2


def test_commands_in_flight_are_told_by_each_worker(tmp_path: Path) -> None:
    one, other = InFlight(tmp_path, "one"), InFlight(tmp_path, "other")
    for _ in range(3):
        one.invoke()
        other.invoke()
    one.come_back()
    other.skip()
    assert counts_in(tmp_path) == Counts(invoked=6, in_flight=5, skipped=1)
    assert one.count == 2


def test_a_worker_that_takes_the_place_of_a_killed_one_goes_on_with_its_counts(
    tmp_path: Path,
) -> None:
    killed = InFlight(tmp_path, "one")
    killed.invoke()
    killed.skip()
    successor = InFlight(tmp_path, "one")
    successor.invoke()
    assert counts_in(tmp_path) == Counts(invoked=2, in_flight=1, skipped=1)


def test_a_line_that_a_kill_tore_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"number": 1}\n{"numb')
    lines = JsonLines(path)
    lines.write({"number": 2})
    lines.close()
    assert read_lines(path) == [{"number": 1}, {"number": 2}]
