"""The causal chain: complete, both ways, and in the same order whatever the clocks say."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from events.effect import EffectFailed, EffectIntended, Intent
from projections.base import moment_text
from standfast.why import Chain, MemoryJournal, NothingKnownError, why
from tests.history import EPOCH, Recorder
from tests.memory_log import MemoryLog
from tests.story import Outage, outage, steady

WHOLE_STORY = [
    "ProbeFailed",
    "ServiceWentDown",
    "IncidentOpened",
    "ProbeFailed",
    "ServiceWentDown",
    "IncidentEffectJoined",
    "AlertFired",
    "EffectIntended",
    "EffectSucceeded",
    "RecoveryPlanned",
    "RecoveryStepBegan",
    "EffectIntended",
    "IncidentRecoveryBegan",
    "EffectSucceeded",
    "RecoveryStepActed",
    "ServiceBecameHealthy",
    "RecoveryStepVerified",
    "RecoveryStepBegan",
    "IncidentMemberRecovered",
    "ServiceBecameHealthy",
    "RecoveryStepVerified",
    "RecoverySucceeded",
    "IncidentRecoveryEnded",
    "IncidentMemberRecovered",
    "IncidentResolved",
    "AlertResolved",
    "EffectIntended",
    "EffectSucceeded",
]


@pytest.fixture
async def log() -> MemoryLog:
    log = MemoryLog()
    recorder = Recorder(log)
    await steady(recorder)
    await outage(recorder, 1)
    await outage(recorder, 2)
    return log


def events_of(chain: Chain) -> list[str]:
    return [link.event for link in chain.links]


@pytest.mark.parametrize(
    "wanted",
    [
        "service/demo-app",
        "service/demo-database",
        "incident/0002",
        "recovery/0002",
        "alert/incident-0002",
    ],
)
async def test_every_part_of_an_outage_tells_the_whole_of_its_last_one(
    log: MemoryLog, wanted: str
) -> None:
    chain = why(MemoryJournal(log.journal()), wanted)
    assert events_of(chain) == WHOLE_STORY
    assert {link.entity for link in chain.links if link.entity.startswith("incident/")} == {
        "incident/0002"
    }


async def test_every_event_of_an_outage_tells_the_whole_of_it(log: MemoryLog) -> None:
    journal = MemoryJournal(log.journal())
    first = why(journal, "incident/0001")
    for link in first.links:
        assert events_of(why(journal, link.event_id)) == WHOLE_STORY


async def test_the_order_does_not_depend_on_any_clock(log: MemoryLog) -> None:
    chain = why(MemoryJournal(log.journal()), "service/demo-app")
    chance = random.Random(7)
    rows = log.journal()
    for row in rows:
        shift = timedelta(seconds=chance.uniform(-1e6, 1e6))
        row["time"] = row["decided"] = moment_text(datetime(2026, 1, 1, tzinfo=UTC) + shift)
    chance.shuffle(rows)
    shifted = why(MemoryJournal(rows), "service/demo-app")
    assert [(k.event_id, k.event, k.depth, k.parent) for k in shifted.links] == [
        (k.event_id, k.event, k.depth, k.parent) for k in chain.links
    ]


async def test_causes_come_before_effects_even_against_the_log(log: MemoryLog) -> None:
    rows = log.journal()
    for row in rows:
        row["sequence"] = 1_000 - row["sequence"]
    places = {row["id"]: n for n, row in enumerate(_rows_of_chain(rows))}
    for row in rows:
        if row["id"] in places and row["causation_id"] in places:
            assert places[row["causation_id"]] < places[row["id"]]


def _rows_of_chain(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    chain = why(MemoryJournal(rows), "incident/0001")
    return [{"id": link.event_id} for link in chain.links if link.event != "ProbeFailed"]


async def test_a_service_that_never_failed_tells_of_its_last_event(log: MemoryLog) -> None:
    chain = why(MemoryJournal(log.journal()), "service/demo-cache")
    assert events_of(chain) == ["ServiceBecameHealthy"]


async def test_a_notice_that_is_tried_again_and_again_hangs_no_deeper() -> None:
    log = MemoryLog()
    recorder = Recorder(log)
    await steady(recorder)
    story = Outage(recorder)
    await story.fail()
    await story.tell()
    for number in range(2, 6):
        intent = Intent(
            number=number, effect="notify", executor="executor", deadline=EPOCH, arguments={}
        )
        tried = await recorder.append(story.alert, EffectIntended(intent=intent))
        failed = EffectFailed(number=number, reason="refused")
        await recorder.append(story.alert, failed, cause=f"{tried}.0")
    chain = why(MemoryJournal(log.journal()), story.alert)
    tries = [link for link in chain.links if link.event == "EffectIntended"]
    assert len(tries) == 5
    assert len({link.depth for link in tries[1:]}) == 1
    assert {link.parent for link in tries[1:]} == {story.fired}


@pytest.mark.parametrize("wanted", ["service/nobody", "no-event", "/", "x/"])
async def test_what_never_happened_is_said_so(log: MemoryLog, wanted: str) -> None:
    with pytest.raises(NothingKnownError):
        why(MemoryJournal(log.journal()), wanted)
