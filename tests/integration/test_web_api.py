"""The JSON API, asked over a real port, over a real log and its projections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from events.platform import PlatformToldWithoutLog
from projections.base import moment_text
from standfast.freshness import Freshness
from tests.fixtures.web import eventually, running_platform
from tests.history import EPOCH
from tests.story import Outage, become_healthy, configure, outage, steady

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from events.log import Log
    from tests.fixtures.web import Platform


async def test_services_are_listed_with_state_probes_and_needs(platform: Platform) -> None:
    await steady(platform.recorder)
    await platform.projected()
    await platform.probe("demo-app", 0.012)

    async def has_probe() -> bool:
        answer = (await platform.get("/api/services/demo-app")).json()
        return bool(answer["latency"])

    await eventually(has_probe)
    answer = await platform.get("/api/services")
    assert answer.status_code == 200
    services = {service["name"]: service for service in answer.json()["services"]}
    assert list(services) == ["demo-app", "demo-cache", "demo-database"]
    app = services["demo-app"]
    assert (app["state"], app["address"], app["title"]) == ("healthy", "service/demo-app", "Shop")
    assert app["depends_on"] == ["demo-database", "demo-cache"]
    assert app["latency"][0]["seconds"] == 0.012
    assert app["latency"][0]["success"] is True


async def test_an_incident_is_told_whole(platform: Platform) -> None:
    await steady(platform.recorder)
    await outage(platform.recorder)
    await platform.projected()
    incident = (await platform.get("/api/incidents/0001")).json()
    assert incident["state"] == "resolved"
    assert incident["cause"] == "demo-database"
    assert [effect["service"] for effect in incident["effects"]] == ["demo-app"]
    assert incident["timeline"][0]["event"] == "ProbeFailed"
    assert [n["status"] for n in incident["notifications"]] == ["firing", "resolved"]
    assert [s["state"] for s in incident["recoveries"][0]["steps"]] == ["proven", "proven"]
    assert (await platform.get("/api/incidents?state=open")).json() == {"incidents": []}
    alert = (await platform.get("/api/alerts")).json()["alerts"][0]
    assert (alert["state"], alert["incident"]) == ("resolved", "0001")
    chain = (await platform.get("/api/why/service/demo-app")).json()["chain"]
    assert chain[0]["event"] == "ProbeFailed"
    assert chain[-1]["event"] == "EffectSucceeded"
    by_event = (await platform.get(f"/api/why/{chain[3]['event_id']}")).json()["chain"]
    assert by_event == chain


async def test_an_incident_keeps_who_was_told_when_its_alert_fires_again(
    platform: Platform,
) -> None:
    await steady(platform.recorder)
    first, second = Outage(platform.recorder), Outage(platform.recorder, 2)
    await first.whole()
    second.alert, second.notices = first.alert, first.notices
    await second.whole()
    await platform.projected()
    for name, numbers in (("0001", [1, 2]), ("0002", [3, 4])):
        incident = (await platform.get(f"/api/incidents/{name}")).json()
        assert [one["number"] for one in incident["notifications"]] == numbers


async def test_an_incident_says_who_heard_of_it_without_the_log(platform: Platform) -> None:
    outage = Outage(platform.recorder)
    heard = PlatformToldWithoutLog(
        alert=outage.alert.removeprefix("alert/"),
        status="firing",
        receiver="on-call",
        told_at=platform.recorder.now,
        summary="Database is down",
    )
    await platform.recorder.append("platform/demo", heard)  # that was another time
    await steady(platform.recorder)
    await outage.fail()
    again = heard.model_copy(update={"told_at": platform.recorder.now})
    await platform.recorder.append("platform/demo", again)
    await outage.tell()
    await platform.projected()
    incident = (await platform.get("/api/incidents/0001")).json()
    (told,) = incident["told_without_log"]
    assert (told["receiver"], told["status"]) == ("on-call", "firing")
    assert told["told_at"] == moment_text(again.told_at)


async def test_events_are_cloudevents_and_paged(platform: Platform) -> None:
    await steady(platform.recorder)
    await platform.projected()
    page = (await platform.get("/api/events?after=0&limit=2")).json()
    assert [event["sequence"] for event in page["events"]] == [1, 2]
    assert page["events"][0]["specversion"] == "1.0"
    assert page["events"][0]["data"]["settings"]["title"] == "Database"
    page = (await platform.get(f"/api/events?after={page['next']}&limit=2")).json()
    assert [event["sequence"] for event in page["events"]] == [3, 4]
    one = (await platform.get("/api/events?kind=service&id=demo-app&limit=1")).json()["events"]
    assert [event["subject"] for event in one] == ["service/demo-app"]
    none = (await platform.get("/api/events?since=2099-01-01")).json()
    assert none == {"events": [], "next": None}


async def test_readiness_waits_for_a_verdict_on_every_service(platform: Platform) -> None:
    assert (await platform.get("/readyz")).status_code == 503
    await configure(platform.recorder)
    await platform.projected()
    answer = await platform.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["demo-app", "demo-cache", "demo-database"]
    for name in ("demo-app", "demo-cache", "demo-database"):
        await become_healthy(platform.recorder, name)
    await platform.projected()
    assert (await platform.get("/readyz?verbose")).json()["checks"]["log"] == "ok"
    assert (await platform.get("/livez")).status_code == 200
    assert (await platform.get("/healthz")).status_code == 200


async def test_metrics_are_valid_exposition(platform: Platform) -> None:
    await steady(platform.recorder)
    await outage(platform.recorder)
    await platform.probe("demo-app", 0.5, success=False)
    await platform.projected()

    async def has_probe() -> bool:
        return (
            'probe_success{check="tcp",service="demo-app"}' in (await platform.get("/metrics")).text
        )

    await eventually(has_probe)
    text = (await platform.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    up = {s.labels["service"]: s.value for s in families["standfast_service_up"].samples}
    assert up == {"demo-app": 1.0, "demo-cache": 1.0, "demo-database": 1.0}
    assert families["standfast_incidents_open"].samples[0].value == 0
    lags = [sample.value for sample in families["standfast_projection_lag"].samples]
    assert lags
    assert max(lags) == 0


async def test_the_description_names_the_problems_that_are_answered(platform: Platform) -> None:
    paths = (await platform.get("/openapi.json")).json()["paths"]
    answers = {
        (path, method): set(operation["responses"])
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    assert answers
    assert all({"4XX", "5XX"} <= statuses for statuses in answers.values()), answers
    assert all("422" not in statuses for statuses in answers.values()), answers


async def test_the_stream_tells_changes_and_resumes(platform: Platform) -> None:
    await steady(platform.recorder)
    await platform.projected()
    head = await platform.log.head_sequence()
    headers = {"Last-Event-ID": str(head - 1)}
    async with platform.http.stream("GET", platform.url + "/api/stream", headers=headers) as answer:
        lines = answer.aiter_lines()
        missed = await _next_event(lines)
        assert missed["changed"]["services"] == ["demo-app"]
        await outage(platform.recorder)
        seen = await _next_event(lines)
        while "0001" not in seen["changed"]["incidents"]:
            seen = await _next_event(lines)
        assert seen["sequence"] > head


async def _next_event(lines: AsyncIterator[str]) -> dict[str, Any]:
    async for line in lines:
        if line.startswith("data: "):
            content: dict[str, Any] = json.loads(line.removeprefix("data: "))
            if "changed" in content:
                return content
    raise AssertionError("the stream ended")


async def test_what_may_be_old_is_no_data_in_figures_too(log: Log, tmp_path: Path) -> None:
    stale = Freshness().because("the log takes nothing", EPOCH)
    async with running_platform(log, tmp_path, freshness=lambda: stale) as platform:
        await steady(platform.recorder)
        await platform.projected()

        async def is_stale() -> bool:
            return (await platform.get("/healthz")).status_code == 503

        await eventually(is_stale)
        status = (await platform.get("/api/status")).json()
        assert (status["counts"]["services"], status["stale"]) == (
            {"no data": 3},
            ["the log takes nothing"],
        )
        metrics = (await platform.get("/metrics")).text
        assert 'standfast_service_judged{service="demo-app"} 0.0' in metrics
        assert "standfast_service_up{" not in metrics
        assert 'standfast_services{state="healthy"} 0.0' in metrics
        assert 'standfast_services{state="no data"} 3.0' in metrics
        one = (await platform.get("/api/services/demo-app")).json()
        assert (one["state"], "it was healthy at" in one["reason"]) == ("no data", True)
        page = (await platform.get("/services/demo-app")).text
        assert "no data" in page
