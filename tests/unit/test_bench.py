"""A figure says by itself whether its goal is met, and areas are known by their names."""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from events.build import build_id
from standfast.bench import simulation
from standfast.bench.areas import AREAS, Area
from standfast.bench.figure import Figure, Goal, Peer
from standfast.bench.ground import GroundError
from standfast.bench.measurement import Measurement, in_turn
from standfast.cli import bench as command
from standfast.cli.app import app
from standfast.cli.bench import number_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "peer", "goal", "met"),
    [
        (90.0, 100.0, Goal(0.8, "ratio"), True),
        (70.0, 100.0, Goal(0.8, "ratio"), False),
        (70.0, None, Goal(60), True),
        (70.0, None, Goal(0.8, "ratio"), False),
        (70.0, 100.0, None, None),
        (70.0, 0.0, Goal(0.1, "ratio"), False),
    ],
)
def test_a_rate_meets_its_goal_from_there_on(
    value: float, peer: float | None, goal: Goal | None, met: bool | None
) -> None:
    beside = None if peer is None else Peer(name="peer", value=peer)
    assert Figure("x", value, "1/s", "higher", beside, goal).met is met


def test_a_time_meets_its_goal_up_to_there() -> None:
    assert Figure("x", 1.9, "ms", "lower", goal=Goal(2)).met is True
    assert Figure("x", 2.1, "ms", "lower", goal=Goal(2)).met is False


def test_json_of_a_figure_has_every_field() -> None:
    peer = Peer(name="other", value=2000.0)
    figure = Figure("x", 1234.567, "1/s", "higher", peer, Goal(0.5, "ratio"), "without y")
    assert figure.as_json() == {
        "name": "x",
        "value": 1235.0,
        "unit": "1/s",
        "better": "higher",
        "peer": {"name": "other", "value": 2000.0},
        "ratio": 0.617,
        "goal": "ratio >= 0.5",
        "met": True,
        "note": "without y",
    }
    alone = Figure("y", 1.0, "s", "lower", goal=Goal(2)).as_json()
    assert (alone["peer"], alone["ratio"], alone["goal"]) == (None, None, "<= 2")


def test_numbers_have_as_many_digits_as_they_deserve() -> None:
    assert number_text(123456.7) == "123,457"
    assert number_text(1.23456) == "1.235"


async def test_peers_are_measured_in_turn() -> None:
    order: list[str] = []

    async def ours() -> int:
        order.append("ours")
        return 1

    async def peer() -> int:
        order.append("peer")
        return 1

    await in_turn(ours, peer, rounds=2)
    assert order == ["ours", "peer", "peer", "ours"]


@pytest.mark.parametrize(("value", "code"), [(3.0, 0), (1.0, 1)])
def test_a_missed_goal_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, value: float, code: int
) -> None:
    async def measure() -> list[Figure]:
        return [Figure("x", value, "1/s", "higher", goal=Goal(2)), Figure("y", 1.0, "s", "lower")]

    area = Area("core", "nothing", (Measurement("x", measure),))
    monkeypatch.setitem(AREAS, "core", area)
    ran = CliRunner().invoke(app, ["bench", "core", "--json"])
    assert ran.exit_code == code
    content = json.loads(ran.stdout)
    assert content["build"] == build_id()
    assert datetime.fromisoformat(content["date"]).tzinfo is not None
    assert (content["cores"] > 0, bool(content["machine"])) == (True, True)
    assert content["missed"] == (["x"] if code else [])
    assert [figure["met"] for figure in content["figures"]] == [not code, None]


async def test_the_speed_of_a_run_that_broke_something_is_no_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clean, broken = SimpleNamespace(problems=()), SimpleNamespace(problems=("history: a/b: lost",))
    results = iter((clean, broken, clean))
    monkeypatch.setattr(simulation, "simulate", lambda _settings: next(results))
    with pytest.raises(GroundError, match=r"history: a/b: lost; again: standfast simulate --seed"):
        await simulation.measure_speed()


def test_figures_go_to_a_folder(tmp_path: Path) -> None:
    figure = Figure("x", 1.0, "s", "lower")
    command._write(tmp_path / "a" / "b", {"figures": [figure.as_json()]})
    written = json.loads((tmp_path / "a" / "b" / "bench.json").read_text())
    assert written["figures"][0]["name"] == "x"
