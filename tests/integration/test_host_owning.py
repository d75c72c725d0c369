"""One host owns a bucket at a time; a double, a late one and a successor lose nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from actors.placement import PlaceBuckets
from actors.runtime import taking_back
from actors.runtime.commands import Outcome
from actors.runtime.ownership import PLACEMENT_ADDRESS, Ownership
from actors.runtime.solo import SoloWriter
from actors.service import RequestProbe
from events.address import EntityAddress
from events.host import HostBucketsGivenUp
from events.placement import BucketRange
from events.service import ServiceConfigured, ServiceProbeRequested
from tests.fixtures.checked import ACKNOWLEDGED, CHAINED
from tests.hosting import AUTHOR, SERVICES, Hosting
from tests.waiting import until

if TYPE_CHECKING:
    from tests.fixtures.checked import CheckedRun

S0 = EntityAddress("service", "s0")


async def test_two_hosts_of_one_bucket_do_each_command_once_and_one_gives_it_up(
    hosting: Hosting, checked_run: CheckedRun
) -> None:
    sender = checked_run.commands(hosting.log.client)
    await hosting.place(h1=SERVICES)
    first = await hosting.start()
    await hosting.configure("s0")
    second = await hosting.start("h2")
    await second.own(Ownership(epoch=1, ranges=first.ownership.ranges))
    sent = 0

    async def is_given_up() -> bool:
        return bool(await hosting.events(HostBucketsGivenUp))

    async with asyncio.timeout(60):
        while not await is_given_up():
            await asyncio.gather(
                *[sender.send(S0, RequestProbe(reason=f"r{sent + number}")) for number in range(10)]
            )
            sent += 10
    reasons = [event.reason for event in await hosting.events(ServiceProbeRequested)]
    assert sorted(reasons) == sorted(f"r{number}" for number in range(sent))
    bucket = S0.bucket
    assert {(one.kind, one.bucket) for one in await hosting.events(HostBucketsGivenUp)} == {
        ("service", bucket)
    }
    owners = [host for host in (first, second) if host.ownership.owns_bucket("service", bucket)]
    assert len(owners) == 1
    assert not hosting.task(first).done()
    assert not hosting.task(second).done()
    assert (await hosting.send("service/s0", RequestProbe(reason="last"))).outcome == Outcome.DONE
    await checked_run.clean(hosting.log, ACKNOWLEDGED, *CHAINED)


async def test_a_bucket_that_was_lost_to_a_double_is_taken_back_when_the_double_is_dead(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_back, "TAKE_BACK_SECONDS", 0.5)
    await hosting.place(h1=SERVICES)
    first = await hosting.start()
    await hosting.configure("s0")
    entity = first.mailroom.entity(EntityAddress("service", "s0"))
    first._give_up_bucket(entity)
    assert not first.ownership.owns(entity.address)
    answer = await hosting.send("service/s0", RequestProbe(reason="after"), patience_seconds=15.0)
    assert answer.outcome is Outcome.DONE
    assert first.ownership.owns(entity.address)
    await hosting.check_chains()


async def test_a_second_host_that_comes_late_reads_again_and_decides_on_the_truth(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=SERVICES)
    first = await hosting.start()
    second = await hosting.start("h2")
    await second.own(Ownership(epoch=1, ranges=first.ownership.ranges))
    first.ownership = Ownership(epoch=1)
    await hosting.configure("s0")
    first.ownership = second.ownership
    second.ownership = Ownership(epoch=1)
    assert (await hosting.configure("s0")).outcome in {Outcome.UNCHANGED, Outcome.DONE}
    assert (await hosting.send("service/s0", RequestProbe(reason="x"))).outcome == Outcome.DONE
    assert len(await hosting.events(ServiceConfigured)) == 1
    await hosting.check_chains()


async def test_a_bucket_passes_from_host_to_host_while_commands_flow(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES, h2=())
    first = await hosting.start("h1")
    second_starting = asyncio.create_task(hosting.start("h2"))
    for number in range(5):
        await hosting.configure(f"s{number}")
    flowing = asyncio.create_task(hosting.probe_many(5, 300))
    await hosting.until_event(ServiceProbeRequested, count=10)
    await hosting.place(h1=("platform", "topology"), h2=("service",))
    second = await second_starting
    answers = await flowing
    assert all(answer.accepted for answer in answers.values())
    reasons = [event.reason for event in await hosting.events(ServiceProbeRequested)]
    assert sorted(reasons) == sorted(answers)
    await hosting.check_chains()
    await until(lambda: second.ownership.epoch == first.ownership.epoch == 2)
    assert [one.kind for one in second.ownership.ranges] == ["service"]
    assert not any(address.kind == "service" for address in first.mailroom.entities)
    assert await hosting.events(HostBucketsGivenUp) == []
    assert (await hosting.configure("s9")).accepted


async def test_only_a_range_of_buckets_passes(hosting: Hosting) -> None:
    await hosting.place(h1=("service",))
    first = await hosting.start("h1")
    for number in range(40):
        await hosting.configure(f"s{number}")
    low, high = BucketRange(kind="service", last=127), BucketRange(kind="service", first=128)
    await hosting.place(h1=(low,), h2=(high,))
    second = await hosting.start("h2")
    await until(lambda: first.ownership.epoch == 2 and first.is_ready)
    assert {one.bucket < 128 for one in first.mailroom.entities} == {True}
    assert {one.bucket < 128 for one in second.mailroom.entities} == {False}
    assert len(first.mailroom.entities) + len(second.mailroom.entities) == 40
    answers = await hosting.probe_many(40, 80)
    assert {answer.outcome for answer in answers.values()} == {Outcome.DONE}


async def test_an_isolated_entity_lives_in_its_own_host_and_comes_back(hosting: Hosting) -> None:
    await hosting.place(h1=("service",))
    first = await hosting.start("h1")
    await hosting.configure("s0")
    await hosting.configure("s1")
    writer = await SoloWriter.open(hosting.log, AUTHOR, "test", PLACEMENT_ADDRESS)
    ranges: dict[str, tuple[BucketRange, ...]] = {"h1": (BucketRange(kind="service"),)}
    await writer.give(PlaceBuckets(hosts=ranges, isolated={"service/s0": "own"}))
    own = await hosting.start("own")
    await until(lambda: first.ownership.epoch == 2 and first.is_ready)
    address = EntityAddress("service", "s0")
    assert list(own.mailroom.entities) == [address]
    assert address not in first.mailroom.entities
    assert (await hosting.report("s0", "down")).outcome == Outcome.DONE
    assert (await hosting.report("s1", "down")).outcome == Outcome.DONE
    await first.write_checkpoints()
    await writer.give(PlaceBuckets(hosts=ranges))
    await until(lambda: first.ownership.epoch == 3 and first.is_ready)
    assert first.mailroom.entities[address].state == (await hosting.folded())[address]
    await hosting.kill(first)
    again = await hosting.start("h1")
    assert again.mailroom.entities[address].state == (await hosting.folded())[address]
