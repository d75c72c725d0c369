"""Any instant is computed from the log alone, with checkpoints or without."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from actors.deciders import KINDS
from actors.runtime.store import Store
from events.commit import DIGEST_HEADER, digest_of
from events.placement import BucketRange
from events.subjects import state_subject
from standfast.replay import NoSuchPlaceError, cut_at, cut_of, states_at, word_for
from tests.history import Recorder
from tests.incident import APP, DATABASE, live_through_an_outage
from tests.story import steady

if TYPE_CHECKING:
    from events.log import Log
    from standfast.replay import EntityState
    from tests.fixtures.stand import Stand


async def services_at(log: Log, sequence: int) -> dict[str, str]:
    cut = await cut_of(log, sequence)
    return {one.id: one.state for one in await states_at(log, cut, "service")}


async def went_down(log: Log, name: str) -> int:
    """Give the sequence of a service's failure."""
    async for batch in log.read(["sf.service.>"]):
        for message in batch:
            stored = log.stored(message)
            types = [fact.type for fact in stored.commit.facts]
            if stored.commit.entity.id == name and "standfast.service.went_down.v1" in types:
                return message.sequence
    raise AssertionError(name)


async def test_an_outage_is_seen_again_at_its_time(stand: Stand) -> None:
    log = await stand.open()
    await live_through_an_outage(stand, log)
    head = await log.head_sequence()
    app, database = await went_down(log, APP), await went_down(log, DATABASE)
    assert await services_at(log, app - 1) == {DATABASE: "healthy", APP: "healthy"}
    assert await services_at(log, app) == {DATABASE: "healthy", APP: "down"}
    assert await services_at(log, database) == {DATABASE: "down", APP: "down"}
    assert await services_at(log, head) == {DATABASE: "healthy", APP: "healthy"}


async def test_checkpoints_change_nothing_but_time(stand: Stand) -> None:
    log = await stand.open()
    await live_through_an_outage(stand, log)
    assert stand.host is not None
    before = await all_states(log)
    await stand.host.write_checkpoints()
    assert await all_states(log) == before
    head = await log.head_sequence()
    for sequence in (head // 3, head // 2, head):
        cut = await cut_of(log, sequence)
        slow = await Store(log).load([BucketRange(kind=k) for k in KINDS], sequence, cached=False)
        assert {(one.kind, one.id) for one in await states_at(log, cut)} == {
            (address.kind, address.id) for address, one in slow.items() if one.head.sequence
        }


async def all_states(log: Log) -> list[EntityState]:
    head = await log.head_sequence()
    return await states_at(log, await cut_of(log, head))


async def test_replay_now_is_what_hosts_hold(stand: Stand) -> None:
    log = await stand.open()
    await live_through_an_outage(stand, log)
    assert stand.host is not None
    replayed = {(one.kind, one.id): one for one in await all_states(log)}
    for address, entity in stand.host.mailroom.entities.items():
        one = replayed[address.kind, address.id]
        assert one.sequence == entity.head.sequence
        assert one.data == entity.decider.states.dump_python(entity.state, mode="json")


async def test_a_time_is_the_last_commit_that_was_stored_by_then(log: Log) -> None:
    await steady(Recorder(log))
    head = await log.head_sequence()
    times = []
    for sequence in range(1, head + 1):
        message = await log.message(sequence)
        assert message is not None
        assert message.time is not None
        times.append(message.time.astimezone(UTC))
    for sequence, time in enumerate(times, 1):
        cut = await cut_at(log, time)
        last = max(i for i, one in enumerate(times, 1) if one <= time)
        assert (cut.sequence, sequence <= last) == (last, True)
    assert (await cut_at(log, times[0] - timedelta(microseconds=1))).sequence == 0
    assert (await cut_at(log, datetime.now(UTC) + timedelta(days=1))).sequence == head


async def test_nothing_is_there_before_the_first_commit_or_after_the_last(log: Log) -> None:
    assert await states_at(log, await cut_at(log, datetime.now(UTC))) == []
    await steady(Recorder(log))
    head = await log.head_sequence()
    assert await states_at(log, await cut_of(log, 0)) == []
    with pytest.raises(NoSuchPlaceError, match=str(head)):
        await cut_of(log, head + 1)


async def test_one_entity_is_found_by_its_id_alone(log: Log) -> None:
    await steady(Recorder(log))
    cut = await cut_of(log, await log.head_sequence())
    (by_id,) = await states_at(log, cut, entity_id="demo-app")
    (by_both,) = await states_at(log, cut, "service", "demo-app")
    assert by_id == by_both
    assert await states_at(log, cut, "service", "nobody") == []


async def test_an_entity_in_quarantine_is_named(log: Log) -> None:
    recorder = Recorder(log)
    await steady(recorder)
    address = next(one for one in recorder.heads if one.id == "demo-app")
    headers = {DIGEST_HEADER: digest_of(b"junk").hex()}
    await log.client.jetstream().publish(state_subject(address), b"junk", headers=headers)
    head = await log.head_sequence()
    states = {one.id: one for one in await states_at(log, await cut_of(log, head), "service")}
    assert states["demo-app"].state == "parked"
    assert str(head) in states["demo-app"].parked
    assert states["demo-app"].as_json()["parked"] == states["demo-app"].parked
    assert "parked" not in states["demo-cache"].as_json()
    assert states["demo-cache"].state == "healthy"


def test_every_first_state_has_a_word() -> None:
    from actors.deciders import DECIDERS, POLICY_DECIDERS  # noqa: PLC0415  (only here)

    words = {word_for(decider.initial) for decider in DECIDERS.values()}
    assert {"unknown", "inactive", "unopened", "unplanned", "epoch 0"} <= words
    assert {word_for(decider.initial) for decider in POLICY_DECIDERS.values()} == {"new"}
