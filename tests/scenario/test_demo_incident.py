"""The demo's database dies: one incident, told once, mended in order, proven and explained."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.standing import Standing

Answer = dict[str, Any]
DETECTED_SECONDS = 30.0
TOLD = ("ProbeFailed", "ServiceWentDown", "IncidentOpened", "AlertFired", "EffectSucceeded")
MENDED = (
    "ProbeFailed",
    "IncidentOpened",
    "RecoveryPlanned",
    "RecoveryStepActed",
    "ServiceBecameHealthy",
    "RecoveryStepVerified",
    "RecoverySucceeded",
)
ENDED = ("IncidentOpened", "ServiceBecameHealthy", "IncidentResolved", "AlertResolved")
"""Three paths side by side: what happens on one is not the cause of what happens on another."""


def states(answer: Answer) -> dict[str, str]:
    return {service["name"]: service["state"] for service in answer["services"]}


async def test_the_demo_is_watched_and_healthy(standing: Standing) -> None:
    await standing.wait_ready()
    answer = await standing.wait_for(
        "/api/services", lambda one: set(states(one).values()) == {"healthy"}
    )
    assert set(states(answer)) == {"demo-database", "demo-cache", "demo-app", "demo-receiver"}


async def test_a_dead_database_is_one_incident_told_once_mended_and_proven(
    standing: Standing,
) -> None:
    await standing.wait_ready()
    await standing.run("demo", "break", "database")
    incidents = await standing.wait_for("/api/incidents", _one_is_resolved, DETECTED_SECONDS)
    assert len(incidents["incidents"]) == 1
    incident = incidents["incidents"][0]
    assert incident["cause"] == "demo-database"
    assert [one["service"] for one in incident["effects"]] == ["demo-app"]
    await standing.wait_for("/api/services", lambda one: set(states(one).values()) == {"healthy"})
    told = await standing.wait_for("/api/notifications", _both_are_delivered)
    assert [one["status"] for one in reversed(told["notifications"])] == ["firing", "resolved"]
    ledger = json.loads(await standing.run("demo", "receiver", "--json"))
    assert [entry["body"]["status"] for entry in ledger["entries"]] == ["firing", "resolved"]


def _one_is_resolved(answer: Answer) -> bool:
    return any(one["state"] == "resolved" for one in answer["incidents"])


def _both_are_delivered(answer: Answer) -> bool:
    delivered = [one for one in answer["notifications"] if one["state"] == "succeeded"]
    return len(delivered) == 2


async def test_why_shows_the_chain_from_the_first_failed_probe_to_the_proven_return(
    standing: Standing,
) -> None:
    chain = await standing.json("why", "service/demo-app")
    names = [link["event"] for link in chain["chain"]]
    for expected in (TOLD, MENDED, ENDED):
        places = [names.index(name) for name in expected]
        assert places == sorted(places), names
    text = await standing.run("why", "service/demo-app")
    assert re.search(r"\d\d:\d\d:\d\d", text)
    page = await standing.get("/api/why/service/demo-app")
    assert [link["event_id"] for link in page["chain"]] == [
        link["event_id"] for link in chain["chain"]
    ]


async def test_replay_shows_any_instant_from_the_log_alone(standing: Standing) -> None:
    events = await standing.get("/api/events?kind=service&id=demo-database&limit=1000")
    down = next(one for one in events["events"] if one["type"].endswith("went_down.v1"))
    moment = datetime.fromisoformat(down["decided"]) + timedelta(milliseconds=50)
    then = await standing.json("replay", "--until", moment.astimezone(UTC).isoformat())
    now = await standing.json("replay", "--kind", "service")
    assert _state(then, "demo-database") == "down"
    assert _state(now, "demo-database") == "healthy"


def _state(replayed: Answer, service: str) -> str:
    return next(
        str(one["state"])
        for one in replayed["states"]
        if (one["kind"], one["id"]) == ("service", service)
    )


async def test_the_log_verifies_and_every_actor_is_listed(standing: Standing) -> None:
    await standing.run("verify")
    actors = await standing.json("actors")
    pids = {host["pid"] for host in actors["hosts"]}
    assert len(pids) >= 4
    assert all(host["ready"] for host in actors["hosts"])
    listed = {f"{one['kind']}/{one['id']}" for one in actors["entities"]}
    assert {"service/demo-app", "topology/demo", "policy/correlate"} <= listed


async def test_nothing_is_wrong_says_the_doctor(standing: Standing) -> None:
    await standing.run("doctor")
    await standing.run("status")
