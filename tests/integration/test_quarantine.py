"""An error parks one entity and nothing else, is told, and ends when a person releases it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from actors.deciders import DECIDERS
from actors.runtime.commands import Outcome
from actors.runtime.letters import ReleaseEntity
from actors.service import SERVICE, RequestProbe
from events.address import EntityAddress
from events.alert import AlertFired, AlertResolved
from events.base import Origin
from events.commit import Commit, Fact, Head, encode_commit
from events.entity import EntityParked, EntityReleased
from events.policy import CauseQuarantined
from events.service import ServiceProbeRequested
from events.subjects import state_subject
from tests.fixtures.checked import HELD, NO_POLICIES
from tests.hosting import AUTHOR, PLACED, SERVICES, Hosting
from tests.waiting import until

if TYPE_CHECKING:
    from actors.base import Command, Decision
    from actors.service import Service
    from events.base import Event
    from tests.fixtures.checked import CheckedRun

BAD = EntityAddress("service", "bad")


async def test_an_event_whose_evolve_raises_parks_that_entity_alone(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch, checked_run: CheckedRun
) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("good")
    await hosting.configure("bad")
    poison = await hosting.send(str(BAD), RequestProbe(reason="poison"))
    await hosting.kill(host)

    def evolve(state: Service, event: Event) -> Service:
        if isinstance(event, ServiceProbeRequested):
            message = "a bug in evolve"
            raise ZeroDivisionError(message)
        return SERVICE.evolve(state, event)

    with monkeypatch.context() as patch:
        patch.setitem(DECIDERS, "service", replace(SERVICE, evolve=evolve))
        for _ in range(3):
            host = await hosting.start()
            (parked,) = await hosting.until_event(EntityParked)
            assert (parked.where, parked.sequence) == ("evolve", poison.sequence)
            assert "a bug in evolve" in parked.error
            assert str(poison.sequence) in parked.error
            answer = await hosting.send(str(BAD), RequestProbe(reason="x"))
            assert answer.outcome == Outcome.PARKED
            assert str(poison.sequence) in answer.message
            assert (await hosting.report("good", "healthy")).accepted
            await hosting.report("good", "down")
            await hosting.quiet(0.2)
            await hosting.kill(host)
        host = await hosting.start()
        released = await hosting.send(str(BAD), ReleaseEntity(reason="I hope it is mended"))
        assert released.accepted
        await hosting.until_event(EntityParked, count=2)
        await hosting.kill(host)
    host = await hosting.start()
    answer = await hosting.send(str(BAD), RequestProbe(reason="x"))
    assert answer.outcome == Outcome.PARKED, "mended code alone releases nothing"
    assert (await hosting.send(str(BAD), ReleaseEntity(reason="mended"))).accepted
    assert (await hosting.send(str(BAD), RequestProbe(reason="y"))).outcome == Outcome.DONE
    assert len(await hosting.events(EntityParked)) == 2
    assert len(await hosting.events(EntityReleased)) == 2
    await checked_run.clean(hosting.log, *HELD, hosts=("h1",), without=NO_POLICIES)


@pytest.mark.parametrize("where", ["decide", "evolve"])
async def test_an_error_in_a_decision_parks_and_stores_nothing_of_it(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch, checked_run: CheckedRun, where: str
) -> None:
    def decide(state: Service, command: Command, now: datetime) -> Decision:
        if isinstance(command, RequestProbe) and where == "decide":
            message = "a bug in decide"
            raise KeyError(message)
        return SERVICE.decide(state, command, now)

    def evolve(state: Service, event: Event) -> Service:
        if isinstance(event, ServiceProbeRequested):
            message = "a bug in evolve"
            raise KeyError(message)
        return SERVICE.evolve(state, event)

    await hosting.place(h1=SERVICES)
    with monkeypatch.context() as patch:
        patch.setitem(DECIDERS, "service", replace(SERVICE, decide=decide, evolve=evolve))
        host = await hosting.start()
        await hosting.configure("bad")
        await hosting.configure("good")
        answer = await hosting.send(str(BAD), RequestProbe(reason="x"))
        assert (answer.outcome, f"a bug in {where}" in answer.message) == (Outcome.PARKED, True)
        again = await hosting.send(str(BAD), RequestProbe(reason="x"))
        assert again.outcome == Outcome.PARKED
        assert (await hosting.report("good", "down")).outcome == Outcome.DONE
        (parked,) = await hosting.events(EntityParked)
        assert parked.where == where
        await hosting.kill(host)
    assert await hosting.events(ServiceProbeRequested) == []
    await hosting.start()
    assert (await hosting.send(str(BAD), RequestProbe(reason="x"))).outcome == Outcome.PARKED
    assert (await hosting.send(str(BAD), ReleaseEntity(reason="mended"))).accepted
    assert (await hosting.send(str(BAD), RequestProbe(reason="x"))).outcome == Outcome.DONE
    await checked_run.clean(hosting.log, *HELD, hosts=("h1",), without=NO_POLICIES)


async def publish(hosting: Hosting, payload: bytes, head: Head) -> int:
    """Store bytes under the subject of the bad service, with the right fence."""
    headers = {"Nats-Expected-Last-Subject-Sequence": str(head.sequence)}
    stream = hosting.log.client.jetstream()
    return int((await stream.publish(state_subject(BAD), payload, headers=headers)).seq)


def strange(previous: Head, newer: str = "standfast.service.probe_requested.v9") -> bytes:
    """Give a commit with an event of a version that this build does not know."""
    now = datetime(2026, 11, 25, tzinfo=UTC)
    origin = Origin("c", "p", "/s", now, "c")
    fact = Fact(newer, 0, {"reason": "x"})
    return encode_commit(Commit("strange", BAD, previous, now, AUTHOR, (origin,), (fact,)))


@pytest.mark.parametrize("alive", [True, False], ids=["under a host", "before a host"])
@pytest.mark.parametrize("kind", ["garbage", "newer"])
async def test_a_commit_that_cannot_be_read_parks_its_entity_and_names_the_sequence(
    hosting: Hosting, kind: str, *, alive: bool
) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("good")
    await hosting.configure("bad")
    head = host.mailroom.entities[BAD].head
    if not alive:
        await hosting.kill(host)
    sequence = await publish(hosting, b"garbage" if kind == "garbage" else strange(head), head)
    if not alive:
        host = await hosting.start()
    answer = await hosting.send(str(BAD), RequestProbe(reason="x"))
    assert answer.outcome == Outcome.PARKED
    assert f"commit {sequence}" in answer.message
    await until(lambda: host.mailroom.entities[BAD].parked)
    parked = host.mailroom.entities[BAD].parked
    assert parked is not None
    assert (parked.where, parked.sequence) == ("decode", sequence)
    assert kind == "garbage" or "standfast.service.probe_requested.v9" in parked.error
    assert (await hosting.report("good", "down")).outcome == Outcome.DONE
    assert not hosting.task(host).done()
    await hosting.kill(host)
    host = await hosting.start()
    head_before = await hosting.quiet(0.3)
    assert (await hosting.send(str(BAD), RequestProbe(reason="x"))).outcome == Outcome.PARKED
    assert await hosting.log.head_sequence() == head_before, "it is parked once, over restarts"


async def test_a_build_that_reads_what_another_could_not_releases_it_and_people_are_told(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch, checked_run: CheckedRun
) -> None:
    await hosting.place(h1=PLACED)
    executor = await hosting.executor()
    host = await hosting.start()
    await hosting.platform({"good": ()})
    await hosting.configure("bad")
    head = host.mailroom.entities[BAD].head
    sequence = await publish(hosting, strange(head), head)
    await until(lambda: executor.told() == ["EntityParked:service/bad firing"])
    await hosting.kill(host)
    newer = "standfast.service.probe_requested.v9"
    monkeypatch.setitem(ServiceProbeRequested.registry, newer, ServiceProbeRequested)
    host = await hosting.start()
    (released,) = await hosting.until_event(EntityReleased)
    assert str(sequence) in released.reason
    assert (await hosting.send(str(BAD), RequestProbe(reason="y"))).outcome == Outcome.DONE
    await until(lambda: executor.told()[-1] == "EntityParked:service/bad resolved")
    assert len(executor.told()) == 2
    await hosting.kill(host)
    await hosting.start()
    await hosting.quiet()
    assert len(await hosting.events(EntityReleased)) == 1
    await checked_run.clean(hosting.log, *HELD, "world: ended", hosts=("h1",))


async def test_a_commit_that_does_not_follow_its_predecessor_parks_its_entity(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("bad")
    head = host.mailroom.entities[BAD].head
    await hosting.kill(host)
    await publish(hosting, strange(Head(head.sequence + 77)), head)
    host = await hosting.start()
    await until(lambda: host.mailroom.entities[BAD].parked)
    parked = host.mailroom.entities[BAD].parked
    assert parked is not None
    assert parked.where == "chain"


async def test_junk_under_subjects_without_an_entity_is_left_out(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    stream = hosting.log.client.jetstream()
    for subject in ("sf.service.zz", "sf.service.zz.x", "sf.service.00.%", "sf.service.00.a.b.c"):
        await stream.publish(subject, b"junk")
    await stream.publish("sf.placement.00.x", b"junk")
    host = await hosting.start()
    assert (await hosting.configure("good")).accepted
    assert not hosting.task(host).done()


async def test_a_placement_that_cannot_be_read_leaves_hosts_where_they_are(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    stream = hosting.log.client.jetstream()
    await stream.publish(state_subject(EntityAddress("placement", "main")), b"garbage")
    await hosting.quiet(0.2)
    assert (await hosting.configure("good")).accepted
    assert not hosting.task(host).done()
    await hosting.kill(host)
    await hosting.start()
    assert (await hosting.report("good", "down")).accepted


async def test_people_are_told_of_a_parked_entity_and_of_its_release(hosting: Hosting) -> None:
    await hosting.place(h1=PLACED)
    executor = await hosting.executor()
    host = await hosting.start()
    await hosting.platform({"good": ()})
    await hosting.configure("bad")
    head = host.mailroom.entities[BAD].head
    sequence = await publish(hosting, b"garbage", head)
    await hosting.send(str(BAD), RequestProbe(reason="x"))
    (fired,) = await hosting.until_event(AlertFired)
    assert fired.labels["alertname"] == "EntityParked"
    assert fired.labels["entity"] == str(BAD)
    assert str(sequence) in fired.annotations["description"]
    await until(lambda: executor.told() == ["EntityParked:service/bad firing"])
    await hosting.kill(host)
    await hosting.start()
    await hosting.quiet()
    assert len(executor.told()) == 1
    assert len(await hosting.events(AlertResolved)) == 0


async def test_a_policy_that_can_not_read_a_cause_says_so_and_goes_on(hosting: Hosting) -> None:
    await hosting.place(h1=PLACED)
    executor = await hosting.executor()
    host = await hosting.start()
    await hosting.platform({"good": ()})
    await hosting.configure("bad")
    await hosting.quiet()
    head = host.mailroom.entities[BAD].head
    newer = "standfast.service.went_down.v9"
    await publish(hosting, strange(head, newer), head)
    left_out = await hosting.until_event(
        CauseQuarantined, matching=lambda event: event.cause_type == newer, count=2
    )
    assert {event.cause_id for event in left_out} == {"strange.0"}
    await until(lambda: any(said.startswith("EventLeftOut") for said in executor.told()))
    await hosting.report("good", "healthy")
    await hosting.report("good", "down")
    await until(lambda: "ServiceDown:good firing" in executor.told())
    count = len(await hosting.events(CauseQuarantined))
    await hosting.kill(host)
    await hosting.start()
    await hosting.quiet()
    assert len(await hosting.events(CauseQuarantined)) == count, "it is left out once"
