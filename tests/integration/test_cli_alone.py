"""Every command answers where nothing runs, and says what is wrong in one line."""

from __future__ import annotations

import fcntl
import json
from asyncio import gather
from typing import TYPE_CHECKING

import pytest

from effects.recovery.process import ChildProcesses
from standfast.alone import alone
from standfast.running import pid_of, supervisor_pid
from standfast.supervisor.processes import LOG
from tests.incident import APP, DATABASE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.stand import Stand

SERVICE = f"service/{APP}"
GOOD = """\
services:
  app:
    checks:
      - {kind: tcp, port: 80}
      - {kind: http, url: "http://x/"}
"""
BAD = """\
services:
  app:
    chekcs: []
    checks:
      - {kind: tcp, port: 99999}
webb: {}
"""


async def test_status_is_read_from_the_projections(history: Stand) -> None:
    ran, shown = await gather(history.run("status", "--json"), history.run("status"))
    assert ran.code == 0, ran
    status = ran.json
    assert (status["state"], status["running"]) == ("no data", False)
    assert {one["name"]: (one["state"], one["reason"]) for one in status["services"]} == {
        DATABASE: ("no data", "it was healthy"),
        APP: ("no data", "it was healthy"),
    }
    assert "nobody knows how demo is" in shown.out
    assert (status["incidents"], status["alerts"], status["parked"]) == ([], [], [])
    assert {one["state"] for one in status["processes"]} == {"ended"}
    assert "does not run" in shown.out
    assert APP in shown.out


async def test_events_are_cloudevents_one_a_line(history: Stand) -> None:
    ran, newest, of_app = await gather(
        history.run("events", "--json"),
        history.run("events", "--json", "--limit", "3"),
        history.run("events", "--json", "--id", APP),
    )
    lines = [json.loads(line) for line in ran.out.splitlines()]
    places = [line["sequence"] for line in lines]
    assert ran.code == 0, ran
    assert places == sorted(places)
    assert {line["specversion"] for line in lines} == {"1.0"}
    assert [json.loads(line) for line in newest.out.splitlines()] == lines[-3:]
    subjects = {json.loads(line)["subject"] for line in of_app.out.splitlines()}
    assert subjects == {SERVICE}


async def test_events_are_sentences_for_people(history: Stand) -> None:
    shown, none = await gather(
        history.run("events", "--kind", "service", "--since", "1d"),
        history.run("events", "--until", "2000-01-01"),
    )
    assert f"{DATABASE} went down" in shown.out
    assert "\x1b" not in shown.out
    assert (none.code, none.out) == (0, "")


async def test_replay_shows_the_outage_and_its_end(history: Stand) -> None:
    events = await history.run("events", "--json", "--kind", "service")
    down = next(
        event
        for event in map(json.loads, events.out.splitlines())
        if event["type"].endswith("went_down.v1") and event["subject"].endswith(DATABASE)
    )
    then, now, between = await gather(
        history.run("replay", "--until", str(down["sequence"]), "--kind", "service", "--json"),
        history.run("replay", "--until", "now", "--json"),
        history.run("replay", "--from", "1", "--until", str(down["sequence"]), "--json"),
    )
    assert {one["id"]: one["state"] for one in then.json["states"]} == {
        DATABASE: "down",
        APP: "down",
    }
    states = {(one["kind"], one["id"]): one["state"] for one in now.json["states"]}
    assert states["service", DATABASE] == states["service", APP] == "healthy"
    assert {"policy", "incident", "alert", "recovery", "topology"} <= {kind for kind, _ in states}
    assert between.json["changes"][-1]["sequence"] == down["sequence"]
    assert between.json["from"]["sequence"] == 1


async def test_why_gives_the_chain_from_probe_to_proof(history: Stand) -> None:
    ran, shown = await gather(history.run("why", SERVICE, "--json"), history.run("why", SERVICE))
    events = [link["event"] for link in ran.json["chain"]]
    assert ran.code == 0, ran
    assert "First failed probe" in shown.out
    for wanted in ("ProbeFailed", "AlertFired", "RecoveryPlanned", "RecoverySucceeded"):
        assert wanted in events
    by_event = await history.run("why", ran.json["chain"][-1]["event_id"], "--json")
    assert by_event.json["chain"]


async def test_actors_lists_what_does_not_answer(history: Stand) -> None:
    ran = await history.run("actors", "--json")
    assert ran.code == 1, ran
    (host,) = ran.json["hosts"]
    assert (host["name"], host["answered"], host["pid"]) == ("host-of-all", False, None)
    assert {one["kind"] for one in ran.json["entities"]} == {"placement", "host"}


async def test_projections_are_listed_and_built_anew(history: Stand) -> None:
    listed = await history.run("projections", "list", "--json")
    assert listed.code == 0, listed
    by_name = {one["name"]: one for one in listed.json["projections"]}
    assert by_name["service"]["rows"] == 2
    assert {one["lag"] for one in by_name.values()} == {0}
    rebuilt = await history.run("projections", "rebuild", "all", "--json")
    assert rebuilt.json == {"name": "all", "sequence": listed.json["head"]}
    again, verified = await gather(history.run("projections", "list"), history.run("verify"))
    assert "0 behind" in again.out
    assert verified.code == 0, verified


async def test_projections_that_are_missing_are_made_from_the_log(history: Stand) -> None:
    for path in history.directory.root.glob("projections.db*"):
        path.unlink()
    gone = await history.run("status")
    assert (gone.code, "no projections yet" in gone.err) == (1, True)
    assert (await history.run("verify")).code == 0
    assert (await history.run("why", SERVICE)).code == 0
    assert (await history.run("status")).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("events", "--kind", "servce"), 2, "did you mean 'service'"),
        (("events", "--since", "yesterday"), 2, "is not a moment"),
        (("replay", "--until", "999999"), 2, "it ends at"),
        (("replay", "--from", "9", "--until", "3"), 2, "after --until"),
        (("why", "servce/x"), 2, "did you mean 'service'"),
        (("why", "service/nobody"), 1, "nobody"),
        (("why", "no-such-event"), 1, "no event"),
        (("projections", "rebuild", "jornal"), 2, "'journal'"),
        (("acknowledge", "x"), 1, "standfast up"),
        (("demo", "break", "database"), 1, "not the demo"),
        (("demo", "break", "everything"), 2, "there are"),
        (("demo", "receiver"), 1, "not the demo"),
        (("bench", "coar"), 2, "'core'"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    history: Stand, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ran = await history.run(*arguments)
    assert (ran.code, ran.out) == (code, ""), ran
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1


COMMANDS = (
    ("status",),
    ("actors",),
    ("events",),
    ("replay",),
    ("why", SERVICE),
    ("verify",),
    ("projections", "list"),
    ("acknowledge", "x"),
    ("demo", "mend"),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
async def test_a_missing_state_directory_is_said(
    stand: Stand, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    nowhere = str(tmp_path / "nowhere")
    ran = await stand.run(*arguments, "--state-dir", nowhere)
    assert ran.code == 1, ran
    assert nowhere in ran.err
    assert "Traceback" not in ran.err


async def test_an_empty_log_is_no_trouble(stand: Stand) -> None:
    log = await stand.open()
    await stand.catch_up(log)
    await stand.close()
    for arguments in (("events",), ("replay",), ("projections", "list"), ("status",)):
        ran = await stand.run(*arguments)
        assert ran.code == 0, ran
    assert (await stand.run("why", SERVICE)).code == 1


async def test_damaged_files_are_said(history: Stand) -> None:
    history.directory.runtime.write_text("{")
    ran = await history.run("status")
    assert (ran.code, "can't be used" in ran.err) == (1, True)
    assert "Traceback" not in ran.err


async def test_no_supervisor_holds_a_directory_that_nobody_uses(history: Stand) -> None:
    assert supervisor_pid(history.directory) is None
    history.directory.lock.write_text("1")
    assert supervisor_pid(history.directory) is None


async def test_a_configuration_is_checked(stand: Stand, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_text(BAD)
    fine, broken, shown, missing = await gather(
        stand.run("check-config", str(good), "--json"),
        stand.run("check-config", str(bad), "--json"),
        stand.run("check-config", str(bad)),
        stand.run("check-config", str(tmp_path / "none.yaml")),
    )
    assert (fine.code, broken.code, shown.code, missing.code) == (0, 1, 1, 2)
    assert (fine.json["services"], fine.json["checks"]) == (1, 2)
    messages = {one["line"]: one["message"] for one in broken.json["mistakes"]}
    assert "'checks'" in messages[3]
    assert "'web'" in messages[6]
    assert len(messages) == 3
    assert "line 3" in shown.err


async def test_many_commands_share_one_server_and_the_last_ends_it(history: Stand) -> None:
    asked = [history.run_process("events", "--json", "-n", "1") for _ in range(3)]
    for ran in await gather(*asked, history.run_process("verify")):
        assert ran.code == 0, ran
    assert pid_of(ChildProcesses(history.directory.processes), LOG) is None


async def test_a_killed_command_leaves_a_server_that_the_next_ends(history: Stand) -> None:
    process = await history.start("events", "--follow", "--since", "1d")
    assert process.stdout is not None
    await process.stdout.readline()
    process.kill()
    await process.wait()
    children = ChildProcesses(history.directory.processes)
    assert pid_of(children, LOG) is not None
    assert (await history.run("events")).code == 0
    assert pid_of(children, LOG) is None


async def test_a_server_that_a_supervisor_took_over_is_left_to_it(history: Stand) -> None:
    children = ChildProcesses(history.directory.processes)
    with history.directory.lock.open("w") as file:
        async with alone(history.directory):
            fcntl.flock(file, fcntl.LOCK_EX)  # as its supervisor does
        assert pid_of(children, LOG) is not None
