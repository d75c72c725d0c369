"""What people ask of alerts and recoveries through the API, done by a real host and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.alert import FireAlert
from actors.recovery import StartRecovery
from events.recovery import Step
from tests.fixtures.web import eventually

if TYPE_CHECKING:
    from tests.fixtures.web import Platform
    from tests.hosting import Hosting

ALERT = "ServiceDown:demo-database"


@pytest.fixture
async def hosted(hosting: Hosting) -> Hosting:
    await hosting.place(h1=("alert", "recovery", "incident"))
    await hosting.start("h1")
    return hosting


async def plan(hosting: Hosting, name: str) -> None:
    step = Step(service="db", effect="process.restart", timeout_seconds=5, verify_seconds=5)
    wish = StartRecovery(
        incident="one", cause="db", steps=(step,), mode="approval", executor="executor"
    )
    assert (await hosting.send(f"recovery/{name}", wish)).accepted


async def shown(platform: Platform, path: str, **expected: Any) -> None:
    """Wait until what is shown has these values."""

    async def is_so() -> bool:
        content = (await platform.get(path)).json()
        return all(content.get(name) == value for name, value in expected.items())

    await eventually(is_so)


async def test_an_alert_is_taken_once(platform: Platform, hosted: Hosting) -> None:
    fire = FireAlert(labels={"alertname": "A"}, severity="critical", receivers=())
    assert (await hosted.send(f"alert/{ALERT}", fire)).accepted
    path = f"/api/alerts/{ALERT}"
    answer = await platform.post(f"{path}/acknowledge", json={"by": "ann", "comment": "mine"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["outcome"] == "done"
    await shown(platform, path, state="acknowledged", acknowledged_by="ann", comment="mine")
    sequence = answer.json()["sequence"]
    event = (await platform.get(f"/api/events?after={sequence - 1}&limit=1")).json()["events"][0]
    assert event["principal"] == "local"
    again = await platform.post(f"{path}/acknowledge", json={})
    assert (again.status_code, again.json()["detail"]) == (409, "ann has acknowledged it already")


async def test_a_recovery_is_approved_rejected_or_cancelled(
    platform: Platform, hosted: Hosting
) -> None:
    for name in ("a", "b", "c"):
        await plan(hosted, name)
        await shown(platform, f"/api/recoveries/{name}", state="waiting for approval")
    approved = await platform.post("/api/recoveries/a/approve", json={"by": "ann"})
    assert approved.status_code == 200, approved.text
    await shown(platform, "/api/recoveries/a", state="running", by="ann")
    because = {"by": "bob", "reason": "not now"}
    rejected = await platform.post("/api/recoveries/b/reject", json=because)
    assert rejected.status_code == 200, rejected.text
    await shown(platform, "/api/recoveries/b", state="rejected", reason="not now", by="bob")
    cancelled = await platform.post("/api/recoveries/c/cancel", json=because)
    assert cancelled.status_code == 200, cancelled.text
    await shown(platform, "/api/recoveries/c", state="cancelled")
    late = await platform.post("/api/recoveries/b/approve", json={})
    assert late.status_code == 409


async def test_releasing_what_is_not_parked_changes_nothing(
    platform: Platform, hosted: Hosting
) -> None:
    await plan(hosted, "a")
    answer = await platform.post("/api/entities/recovery/a/release", json={"reason": "try"})
    assert answer.status_code in {200, 409}
    assert "Traceback" not in answer.text
