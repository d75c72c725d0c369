"""What is down and may be mended is being mended, or its attempts are used up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import pytest

from events.incident import (
    IncidentCauseChanged,
    IncidentEffectJoined,
    IncidentMemberRecovered,
    IncidentOpened,
    IncidentResolved,
)
from events.placement import BucketRange, BucketsPlaced
from events.platform import PlatformConfigured, PlatformSettings
from events.recovery import (
    RecoveryCancelled,
    RecoveryFailed,
    RecoveryPlanned,
    RecoveryRejected,
    RecoverySucceeded,
    Step,
)
from events.service import RecoveryAction
from events.topology import Node, TopologyDeclared
from scenarios.checker.records import Injected
from tests.checking import broken
from tests.history import EPOCH
from tests.past import LATER, Past, becomes_healthy, goes_down

if TYPE_CHECKING:
    from events.base import Event

INCIDENT = "incident/db-1"
ACTION = RecoveryAction()
NODES = {
    "db": Node(recovery=ACTION),
    "app": Node(depends_on=("db",), recovery=ACTION),
    "page": Node(depends_on=("db",)),
}
LONG = timedelta(seconds=60)
SUCCEEDED = RecoverySucceeded(took_seconds=1)
AGAIN = IncidentCauseChanged(cause="db", was="db", reason="")
Mode = Literal["automatic", "approval", "shadow"]


async def fails(past: Past, mode: Mode = "automatic", cause: str = "db") -> None:
    """A platform is configured, and one of its services goes down."""
    settings = PlatformSettings(recovery_mode=mode)
    await past.append("platform/main", PlatformConfigured(settings=settings, configuration_hash=""))
    await past.append("topology/main", TopologyDeclared(services=NODES, configuration_hash=""))
    await goes_down(past, cause)
    await past.append(INCIDENT, IncidentOpened(cause=cause, reason="", since=EPOCH))


async def is_mended(past: Past, number: int = 1, mode: Mode = "automatic") -> None:
    step = Step(service="db", effect="process.restart", timeout_seconds=1, verify_seconds=1)
    planned = RecoveryPlanned(
        incident="db-1", cause="db", steps=(step,), mode=mode, executor="e", planned_at=EPOCH
    )
    await past.append(f"recovery/db-1:db:{number}", planned)


async def ends(past: Past, end: Event, number: int = 1) -> None:
    await past.append(f"recovery/db-1:db:{number}", end)


async def joins(past: Past, service: str) -> None:
    joined = IncidentEffectJoined(service=service, because="", reason="", since=EPOCH)
    await goes_down(past, service)
    await past.append(INCIDENT, joined)


def found(past: Past, now: datetime = LATER, *, faults: tuple[Injected, ...] = ()) -> list[str]:
    """Give what was not mended."""
    checker = past.checker()
    checker.journal(faults, EPOCH)
    return [one for one in broken(checker, now).get("due", []) if "mended it" in one]


def exercised(past: Past) -> tuple[int, int]:
    checker = past.checker()
    broken(checker, LATER)
    counts = checker.invariants[4].exercised
    return counts["mended"], counts["mended again"]


async def test_a_cause_that_nothing_mends_is_named(past: Past) -> None:
    await fails(past)
    assert found(past, past.recorder.now + timedelta(seconds=5)) == []
    assert found(past)[0].startswith("db was down, and from ")
    await is_mended(past)
    assert found(past) == []
    assert exercised(past) == (1, 0)


async def test_who_mends_too_late_has_only_faults_as_an_excuse(past: Past) -> None:
    parts = {"coordinator": tuple(BucketRange(kind=kind) for kind in ("incident", "policy"))}
    await past.append("placement/main", BucketsPlaced(epoch=1, hosts=parts))
    await fails(past)
    began = past.recorder.now
    past.recorder.now += LONG
    await is_mended(past)
    assert len(found(past)) == 1
    frozen = Injected(1, "freeze", "coordinator", began, began + LONG, 0)
    assert found(past, faults=(frozen,)) == []


async def test_a_cause_that_is_down_again_after_its_recovery_is_mended_again(past: Past) -> None:
    """As in a fault run: the recovery ended well, its incident stayed open, and that was all."""
    await fails(past)
    await is_mended(past)
    await becomes_healthy(past, "db")
    await past.append(INCIDENT, IncidentMemberRecovered(service="db"))
    await goes_down(past, "db")
    await past.append(INCIDENT, AGAIN)
    assert found(past) == []
    await ends(past, SUCCEEDED)
    assert len(found(past)) == 1
    await is_mended(past, 2)
    assert found(past) == []
    assert exercised(past) == (1, 1)


@pytest.mark.parametrize(
    "end",
    [
        RecoveryFailed(reason="it is not healthy after 2 tries"),
        RecoveryRejected(by="ann", reason=""),
        RecoveryCancelled(by="ann", reason=""),
    ],
)
async def test_what_was_tried_to_the_end_or_is_of_a_person_is_left_until_it_fails_again(
    past: Past, end: Event
) -> None:
    await fails(past)
    await is_mended(past)
    await ends(past, end)
    past.recorder.now += LONG
    assert found(past) == []
    await past.append(INCIDENT, AGAIN)
    assert len(found(past)) == 1


async def test_an_effect_that_stays_down_is_mended_when_its_cause_is_well(past: Past) -> None:
    await fails(past)
    await joins(past, "page")
    await is_mended(past)
    await ends(past, RecoveryFailed(reason=""))
    await becomes_healthy(past, "db")
    assert found(past) == [], "nobody can mend the page"
    await joins(past, "app")
    assert found(past)[0].startswith("app was down")
    await past.append(INCIDENT, IncidentResolved(reason="", lasted_seconds=1))
    assert found(past) == []


@pytest.mark.parametrize("mode", ["approval", "shadow"])
async def test_effects_are_left_where_a_person_is_asked(past: Past, mode: Mode) -> None:
    await fails(past, mode)
    await is_mended(past, mode=mode)
    await joins(past, "app")
    await ends(past, RecoveryFailed(reason=""))
    await becomes_healthy(past, "db")
    assert found(past) == []


async def test_what_cannot_be_mended_is_left_to_people(past: Past) -> None:
    await fails(past, cause="page")
    assert found(past) == []


async def test_where_nobody_knows_what_was_broken_only_what_is_down_now_counts(past: Past) -> None:
    await fails(past)
    past.recorder.now += LONG
    assert "due" in broken(past.checker(), LATER)
    await is_mended(past)
    assert "due" not in broken(past.checker(), LATER)
