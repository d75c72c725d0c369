"""The injector goes on until as many faults as were asked for had an effect, but not for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from scenarios.faults import injecting
from scenarios.faults.injecting import BEGUN_SHARE_MAX, Injector
from scenarios.faults.injectors.base import Begun, Healed
from scenarios.faults.journal import Journal
from scenarios.faults.schedule import Drawn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Pretended:
    """A fault that has an effect or not, of nobody."""

    effect: int
    name: str = "pretended"
    target: str = "nobody"
    touches: frozenset[str] = frozenset()

    async def begin(self, stand: object) -> Begun:
        del stand
        return Begun(in_flight=7)

    async def heal(self, stand: object) -> Healed:
        del stand
        return Healed(self.effect)


@dataclass
class Row:
    """A schedule that draws faults with these effects, over and over."""

    effects: tuple[int, ...]
    drawn: int = 0
    outages: list[Drawn] = field(default_factory=list)

    def draw(self) -> Drawn:
        self.drawn += 1
        return Drawn(cast("Any", Pretended(self.effects[self.drawn % len(self.effects)])), 0.001)

    def outage(self) -> Drawn:
        self.outages.append(Drawn(cast("Any", Pretended(1, name="calm")), 0.001))
        return self.outages[-1]

    def pause(self, mean_seconds: float) -> float:
        return mean_seconds


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    async def at_once(*_given: object) -> None:
        """All is well at any time."""

    monkeypatch.setattr(injecting, "wait_recovered", at_once)
    made = Journal(tmp_path / "faults.jsonl", lambda _: None)
    yield made
    made.close()


async def injected(row: Row, journal: Journal, faults: int) -> list[str]:
    """Give the names of all that was done, those without effect in brackets."""
    await Injector(cast("Any", None), journal, cast("Any", row)).run(faults, faults * 0.001)
    assert all(one.ended is not None for one in journal.injected)
    assert {one.in_flight for one in journal.injected} == {7}
    return [one.fault if one.effect else f"({one.fault})" for one in journal.injected]


async def test_what_did_nothing_is_made_up_for(journal: Journal) -> None:
    done = await injected(Row((1, 0, 1)), journal, 10)
    assert done.count("pretended") == 10
    assert done.count("(pretended)") >= 4


async def test_where_nothing_has_an_effect_it_ends_all_the_same(journal: Journal) -> None:
    done = await injected(Row((0,)), journal, 10)
    assert done == [*["(pretended)"] * 10 * BEGUN_SHARE_MAX, "calm"]


@pytest.mark.parametrize(("faults", "calms"), [(5, 1), (30, 1), (45, 1), (60, 2)])
async def test_after_every_thirty_comes_a_calm(journal: Journal, faults: int, calms: int) -> None:
    done = await injected(Row((1,)), journal, faults)
    assert (done.count("pretended"), done.count("calm")) == (faults, calms)
    assert done[min(faults, 30)] == "calm"


def test_a_service_writes_each_start_down_and_ends_where_it_is_refused(tmp_path: Path) -> None:
    ledger, refusal = tmp_path / "ledger.jsonl", tmp_path / "refused"
    refusal.touch()
    command = [sys.executable, "-m", "scenarios.faults.service", "--name", "db", "--port", "1"]
    command += ["--ledger", str(ledger), "--refusal", str(refusal)]
    wish = {"STANDFAST_IDEMPOTENCY_KEY": "recovery/r#1", "STANDFAST_FENCE": "42"}
    for environment in (wish, {}):
        ended = subprocess.run(command, env={**os.environ, **environment}, check=False)
        assert ended.returncode == 1
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [(line["key"], line["fence"]) for line in lines] == [("recovery/r#1", 42), ("", 0)]
    assert {(line["alert"], line["action"]) for line in lines} == {("db", "start")}
