"""Commands work beside what runs: they ask hosts, follow the log live, and give commands."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from asyncio import gather
from typing import TYPE_CHECKING, Any

import pytest

from actors.service import RequestProbe
from events.address import EntityAddress
from events.build import ROOT
from tests.fixtures.stand import HOST
from tests.incident import APP, DATABASE, Outage, live_through_an_outage

if TYPE_CHECKING:
    from tests.fixtures.stand import Stand

LINE_SECONDS = 30.0


async def test_actors_names_every_entity_with_its_process(stand: Stand) -> None:
    log = await stand.open()
    await live_through_an_outage(stand, log)
    ran, shown = await gather(stand.run("actors", "--json"), stand.run("actors"))
    assert ran.code == 0, ran
    (host,) = ran.json["hosts"]
    assert (host["name"], host["pid"], host["answered"]) == (HOST, os.getpid(), True)
    entities = {(one["kind"], one["id"]): one for one in ran.json["entities"]}
    assert {"service", "policy", "incident", "alert", "recovery", "placement", "host"} <= {
        kind for kind, _ in entities
    }
    app = entities["service", APP]
    assert (app["host"], app["node"], app["pid"]) == (HOST, "node-1", os.getpid())
    assert f"service/{APP}" in shown.out


async def test_events_are_followed_live_until_interrupted(stand: Stand) -> None:
    log = await stand.open()
    await stand.serve(log)
    story = Outage(log, stand.commands())
    await story.configure()
    process = await stand.start("events", "--follow", "--json", "--kind", "service", "-n", "1")
    assert process.stdout is not None
    first = await _line(process)
    assert first["type"] == "standfast.service.configured.v1"
    await stand.commands().send(EntityAddress("service", APP), RequestProbe(reason="look"))
    second = await _line(process)
    assert second["data"] == {"reason": "look"}
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(LINE_SECONDS):
        rest, errors = await process.communicate()
    assert (process.returncode, rest, errors) == (0, b"", b"")


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(LINE_SECONDS):
        content: dict[str, Any] = json.loads(await process.stdout.readline())
        return content


async def test_a_running_projector_rebuilds_when_asked(stand: Stand) -> None:
    log = await stand.open()
    await live_through_an_outage(stand, log)
    await stand.project(log)
    one = await stand.run("projections", "rebuild", "journal")
    assert (one.code, "built anew" in one.out) == (0, True), one
    everything = await stand.run("projections", "rebuild", "all", "--json")
    assert everything.json["sequence"] == await log.head_sequence()
    verified = await stand.run("verify")
    assert verified.code == 0, verified


async def test_an_alert_is_acknowledged_by_whoever_asks(stand: Stand) -> None:
    log = await stand.open()
    await stand.serve(log)
    story = Outage(log, stand.commands())
    await story.configure()
    await story.report(DATABASE, "healthy")
    await story.report(DATABASE, "down")
    await story.reaches("alert", lambda state: type(state).__name__ == "Firing")
    alert = f"ServiceDown:{DATABASE}"
    taken = await stand.run("acknowledge", alert, "--comment", "on it", "--json")
    assert (taken.code, taken.json["outcome"]) == (0, "done"), taken
    await stand.catch_up(log)
    status = await stand.run("status", "--json")
    assert status.code == 1  # a critical service is down
    assert status.json["critical_down"] == [DATABASE]
    (shown,) = status.json["alerts"]
    assert (shown["state"], shown["comment"]) == ("acknowledged", "on it")
    again = await stand.run("acknowledge", f"alert/{alert}")
    assert (again.code, "already" in again.err) == (1, True), again


async def test_status_says_what_waits_for_approval_and_how_to_give_it(stand: Stand) -> None:
    log = await stand.open()
    await stand.serve(log)
    story = Outage(log, stand.commands())
    await story.execute()
    await story.configure("approval")
    await story.report(DATABASE, "healthy")
    await story.report(DATABASE, "down")
    await story.reaches("recovery", lambda state: type(state).__name__ == "Awaiting")
    await stand.catch_up(log)
    shown, status = await gather(stand.run("status"), stand.run("status", "--json"))
    (waiting,) = status.json["recoveries"]
    assert f"waiting for approval {waiting['address']}: process.restart of {DATABASE}" in shown.out
    assert f"standfast approve {waiting['id']}" in shown.out
    approved = await stand.run("approve", waiting["id"])
    assert approved.code == 0, approved
    await story.reaches("recovery", lambda state: type(state).__name__ == "Verifying")


async def test_what_an_entity_declines_fails_with_its_reason(stand: Stand) -> None:
    log = await stand.open()
    await stand.serve(log)
    asked = (
        ("acknowledge", "nobody"),
        ("approve", "nothing"),
        ("reject", "nothing", "--reason", "no"),
        ("cancel", "nothing", "--reason", "no"),
    )
    for ran in await gather(*[stand.run(*arguments) for arguments in asked]):
        assert (ran.code, ran.out) == (1, ""), ran
        assert "did not do it" in ran.err
    released = await stand.run("release", "service/x", "--reason", "none")
    assert (released.code, "not parked" in released.out) == (0, True), released


async def test_following_ends_well_when_told_to(stand: Stand) -> None:
    log = await stand.open()
    await stand.serve(log)
    process = await stand.start("events", "--json", "--follow", "--since", "1d")
    assert process.stdout is not None
    await _line(process)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(LINE_SECONDS):
        await process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize("options", [(), ("--json",)])
async def test_a_reader_that_has_enough_is_no_failure(
    stand: Stand, options: tuple[str, ...]
) -> None:
    log = await stand.open()
    await live_through_an_outage(stand, log)
    command = [sys.executable, "-m", "standfast", "events", *options]
    command += ["--state-dir", str(stand.directory.root)]
    script = f"set -o pipefail; {shlex.join(command)} | head -1"
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(LINE_SECONDS):
        printed, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert len(printed.splitlines()) == 1
