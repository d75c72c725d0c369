"""`standfast check-run`: what it says of a run, and its verdict as the exit code."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from events.archive import ArchiveWriter, Heading
from events.commit import encode_commit
from events.message import Message
from events.service import ServiceProbeRequested
from events.subjects import state_subject
from standfast.cli.app import app
from tests.history import EPOCH, Recorder
from tests.memory_log import MemoryLog

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

SERVICE = "service/demo-app"
EXERCISED = ("acknowledged: accepted", "history: chain")


def check(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["check-run", *arguments])


async def a_run(
    directory: Path,
    *,
    acknowledged_at: int = 1,
    must_exercise: tuple[str, ...] | None = EXERCISED,
    after: int = 0,
    healed: float | None = 2.0,
    effect: int = 1,
    **more: Any,
) -> Path:
    """Write a run of two commits, of which the first was acknowledged, and one fault."""
    log = MemoryLog()
    recorder = Recorder(log)
    for _ in range(2):
        await recorder.append(SERVICE, ServiceProbeRequested(reason="test"))
    with (directory / "log.archive").open("wb") as file:
        writer = ArchiveWriter(file)
        writer.begin(Heading(log.identity, "", EPOCH, after))
        for stored in log.stored:
            subject = state_subject(stored.commit.entity)
            payload = encode_commit(stored.commit)
            writer.add(Message(subject, stored.position.sequence, 0, payload, b"", 0))
        writer.end()
    time = EPOCH.isoformat()
    ended = (EPOCH + timedelta(minutes=1)).isoformat()
    run = {"format": 1, "seed": 42, "began": time, "ended": ended, "settings": {}}
    write(directory / "run.json", {**run, "must_exercise": must_exercise, **more})
    asked = {"command_id": "command-0001", "monotonic": 1.0}
    write(
        directory / "commands-a.jsonl",
        {**asked, "type": "invoke", "entity": SERVICE, "command": "RequestProbe"},
        {**asked, "type": "ok", "outcome": "done", "sequence": acknowledged_at},
    )
    fault = {"number": 1, "fault": "kill", "target": "service-host", "began": 1.0, "ended": healed}
    fault["effect"] = effect
    write(directory / "faults.jsonl", {**fault, "time": time, "in_flight": 17})
    return directory


def write(path: Path, *lines: dict[str, Any]) -> None:
    path.write_text("\n".join(map(json.dumps, lines)))


async def test_a_clean_run_says_how_often_each_was_tried_and_what_was_in_flight(
    tmp_path: Path,
) -> None:
    done = check(str(await a_run(tmp_path)))
    assert done.exit_code == 0, done.output
    assert "kill service-host: 17 commands in flight" in done.output
    assert "seed 42, 1 faults, 2 commits" in done.output
    assert "acknowledged  holds: exercised 1 times, 0 violations" in done.output
    assert "    accepted 1, refused 0, unchanging 0" in done.output
    assert done.output.endswith("clean\n")


async def test_programs_are_told_the_same(tmp_path: Path) -> None:
    told = json.loads(check(str(await a_run(tmp_path)), "--json").stdout)
    assert (told["clean"], told["seed"], told["commits"]) == (True, 42, 2)
    assert [one["in_flight"] for one in told["faults"]] == [17]
    assert {one["invariant"]: one["exercised"] for one in told["invariants"]}["history"] == 1
    chain = told["invariants"][1]["claims"][0]
    assert chain == {"claim": "chain", "exercised": 1, "must_be_exercised": True}


async def test_a_broken_invariant_is_named_and_fails(tmp_path: Path) -> None:
    done = check(str(await a_run(tmp_path, acknowledged_at=2)))
    assert done.exit_code == 1
    assert "acknowledged  BROKEN: exercised 1 times, 1 violations" in done.output
    assert "command-0001 was acknowledged at 2 and is at 1" in done.output


async def test_a_claim_that_was_never_tried_fails_where_it_had_to_be(tmp_path: Path) -> None:
    done = check(str(await a_run(tmp_path, must_exercise=("causes: orders", "history: chain"))))
    assert done.exit_code == 1
    assert "causes        NEVER EXERCISED: exercised 0 times, 0 violations" in done.output
    assert "orders NEVER, causes 0" in done.output
    assert "history       holds" in done.output
    assert "due           holds" in done.output, "it did not have to be tried"


async def test_one_claim_that_was_tried_does_not_speak_for_another(tmp_path: Path) -> None:
    done = check(str(await a_run(tmp_path, must_exercise=("acknowledged: refused",))))
    assert done.exit_code == 1
    assert "accepted 1, refused NEVER" in done.output


@pytest.mark.parametrize(
    ("claim", "missing"),
    [
        ("world: delivered", "ledger-*.jsonl"),
        ("history: live", "states.jsonl"),
        ("due: outages told", "outages.jsonl"),
        ("due: timers in time", "faults.jsonl"),
        ("acknowledged: accepted", "commands-*.jsonl"),
    ],
)
async def test_a_run_without_the_file_of_what_it_must_exercise_is_refused(
    tmp_path: Path, claim: str, missing: str
) -> None:
    directory = await a_run(tmp_path, must_exercise=(claim,))
    for path in directory.glob(missing):
        path.unlink()
    done = check(str(directory))
    assert done.exit_code == 2
    assert f"has no {missing}" in " ".join(done.output.split())


async def test_a_fault_that_was_never_healed_is_a_problem_of_the_run(tmp_path: Path) -> None:
    done = check(str(await a_run(tmp_path, healed=None)))
    assert done.exit_code == 1
    assert "fault 1 (kill service-host) was never healed" in done.output
    told = json.loads(check(str(tmp_path), "--json").stdout)
    assert (told["clean"], len(told["problems"])) == (False, 1)


PACE = {"asked_per_second": 10.0, "seconds": 10.0, "invoked": 95, "skipped": 3}


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"pace": PACE, "faults": 1, "build": "0.1.0+abc"}, ""),
        ({"unrest": "db down"}, "it did not come to rest: db down"),
        ({"pace": {**PACE, "invoked": 80}}, "8.0 commands a second were sent, 10 were asked for"),
        ({"faults": 2}, "1 faults had an effect, 2 were asked for"),
        ({"faults": 1, "effect": 0}, "0 faults had an effect, 1 were asked for"),
        ({"pace": PACE, "effect": 0}, "no command was in flight at any fault: nothing is proven"),
    ],
)
async def test_what_makes_a_run_prove_less_is_a_problem_of_it(
    tmp_path: Path, more: dict[str, Any], problem: str
) -> None:
    done = check(str(await a_run(tmp_path, **more)), "--json")
    told = json.loads(done.stdout)
    assert told["problems"] == ([problem] if problem else [])
    assert (done.exit_code, told["clean"]) == (int(bool(problem)), not problem)
    assert told["build"] == more.get("build", "")
    if "pace" in more:
        assert told["pace"]["per_second"] == more["pace"]["invoked"] / 10


async def test_a_fault_that_could_not_be_done_is_told_and_is_no_problem(tmp_path: Path) -> None:
    left_out = ["fsync fails: strace is not installed"]
    directory = str(await a_run(tmp_path, left_out=left_out))
    done = check(directory)
    assert (done.exit_code, f"left out: {left_out[0]}" in done.output) == (0, True), done.output
    assert json.loads(check(directory, "--json").stdout)["left_out"] == left_out


async def test_a_fault_without_effect_is_told_apart(tmp_path: Path) -> None:
    directory = str(await a_run(tmp_path, effect=0))
    assert "kill service-host: 17 commands in flight, without effect" in check(directory).output
    told = json.loads(check(directory, "--json").stdout)
    assert (told["faults"], len(told["without_effect"])) == ([], 1)


async def test_a_claim_that_nothing_makes_is_refused(tmp_path: Path) -> None:
    done = check(str(await a_run(tmp_path, must_exercise=("history",))))
    assert done.exit_code == 2
    assert "nothing claims history" in " ".join(done.output.split())


async def test_where_nothing_is_said_all_must_be_tried(tmp_path: Path) -> None:
    directory = await a_run(tmp_path, must_exercise=None)
    assert check(str(directory)).exit_code == 2, "it has no ledger"
    for name in ("ledger-ops.jsonl", "states.jsonl", "outages.jsonl"):
        (directory / name).touch()
    done = check(str(directory))
    assert done.exit_code == 1
    assert "world         NEVER EXERCISED" in done.output
    assert "due           NEVER EXERCISED" in done.output


@pytest.mark.parametrize(
    "name",
    ["states.jsonl", "outages.jsonl", "faults.jsonl", "ledger-ops.jsonl", "commands-a.jsonl"],
)
async def test_a_directory_where_a_file_must_be_is_no_run(tmp_path: Path, name: str) -> None:
    directory = await a_run(tmp_path)
    (directory / name).unlink(missing_ok=True)
    (directory / name).mkdir()
    done = check(str(directory))
    assert done.exit_code == 2, done.output
    assert f"{name} can't be read: Is a directory" in " ".join(done.output.split())


@pytest.mark.parametrize("setting", ["late_seconds", "detected_seconds"])
@pytest.mark.parametrize("value", ["ten", -1, 1e300])
async def test_a_bound_that_is_no_time_is_refused_by_its_name(
    tmp_path: Path, setting: str, value: object
) -> None:
    done = check(str(await a_run(tmp_path, settings={setting: value})))
    assert done.exit_code == 2, done.output
    assert f"$.settings.{setting}" in done.output


async def test_a_fault_that_ends_when_no_clock_is_any_more_is_refused(tmp_path: Path) -> None:
    done = check(str(await a_run(tmp_path, healed=1e300)))
    assert done.exit_code == 2, done.output
    assert "faults.jsonl, line 1" in done.output


async def test_what_is_no_whole_run_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    empty = check(str(tmp_path))
    assert (empty.exit_code, "run.json is missing" in empty.output) == (2, True)
    directory = await a_run(tmp_path)
    archive = directory / "log.archive"
    archive.write_bytes(archive.read_bytes()[:-20])
    cut = check(str(directory))
    assert (cut.exit_code, "log.archive" in cut.output) == (2, True), cut.output
    part = check(str(await a_run(tmp_path, after=5)))
    assert (part.exit_code, "only what came after 5" in part.output) == (2, True)
