"""Buckets pass from host to host without a command, a timer or an intent being forgotten."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from actors.alert import FireAlert
from actors.runtime import taking_back
from actors.runtime.commands import Outcome
from actors.runtime.moving import HAND_OVER, REHEARSE, Share, ask_to
from actors.service import RequestProbe
from events.address import EntityAddress
from events.alert import AlertEscalated, AlertFired, Escalation
from events.effect import EffectIntended, EffectSucceeded
from events.host import HostReady
from events.placement import BucketRange
from tests.hosting import SERVICES, Hosting
from tests.waiting import until

if TYPE_CHECKING:
    from actors.runtime.host import Host

ALERTS = ("alert",)


def fire(name: str) -> FireAlert:
    return FireAlert(
        labels={"alertname": name},
        severity="critical",
        receivers=("ops",),
        escalation=Escalation(wait_seconds=60.0, repeats_max=1),
    )


async def is_owned(host: Host, epoch: int) -> None:
    await until(lambda: host.ownership.epoch == epoch and host.is_ready)


async def test_a_timer_and_an_open_intent_go_with_their_bucket(hosting: Hosting) -> None:
    await hosting.place(h1=ALERTS)
    first = await hosting.start("h1")
    await hosting.send("alert/disk", fire("Disk"))
    await hosting.until_event(EffectIntended)
    await hosting.place(h1=(), h2=ALERTS)
    second = await hosting.start("h2")
    await is_owned(first, 2)
    executor = await hosting.executor()
    await until(lambda: executor.told() == ["disk firing"])
    await hosting.until_event(EffectSucceeded)
    assert len(executor.errands) == 1, "only the owner hands it over"
    hosting.clock.step(61)
    await hosting.until_event(AlertEscalated)
    await hosting.quiet()
    assert len(await hosting.events(AlertEscalated)) == 1
    assert list(second.mailroom.entities) == [EntityAddress("alert", "disk")]
    assert first.mailroom.entities == {}


async def test_a_bucket_goes_away_and_comes_back(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    first = await hosting.start("h1")
    await hosting.configure("db")
    await hosting.place(h1=(), h2=SERVICES)
    second = await hosting.start("h2")
    for epoch in range(3, 7):
        owner = "h1" if epoch % 2 else "h2"
        other = "h1" if owner == "h2" else "h2"
        await hosting.place(**{owner: SERVICES, other: ()})
        await is_owned(first, epoch)
        await is_owned(second, epoch)
        answer = await hosting.send("service/db", RequestProbe(reason=f"{epoch}"))
        assert answer.accepted
    await hosting.check_chains()
    assert {len(first.mailroom.entities), len(second.mailroom.entities)} == {0, 1}


async def test_what_the_old_owner_commits_late_is_known_to_the_new_one(hosting: Hosting) -> None:
    await hosting.place(h1=ALERTS)
    first = await hosting.start("h1")
    append = first.log.append
    held, go_on = asyncio.Event(), asyncio.Event()

    async def slow(commit: object) -> object:
        held.set()
        await go_on.wait()
        return await append(commit)  # type: ignore[arg-type]

    first.log.append = slow  # type: ignore[method-assign,assignment]
    sending = asyncio.create_task(hosting.send("alert/late", fire("Late")))
    await held.wait()
    await hosting.place(h1=(), h2=ALERTS)
    await hosting.start("h2")
    go_on.set()
    await hosting.until_event(AlertFired)
    executor = await hosting.executor()
    await until(lambda: executor.told() == ["late firing"])
    await hosting.until_event(EffectSucceeded)
    hosting.clock.step(61)
    await hosting.until_event(AlertEscalated)
    assert (await sending).accepted


async def test_each_host_says_with_which_epoch_it_is_ready(hosting: Hosting) -> None:
    part = BucketRange(kind="service", first=0, last=15)
    await hosting.place(h1=(part,))
    await hosting.start("h1")
    await hosting.place(h1=SERVICES)
    ready = await hosting.until_event(HostReady, count=2)
    assert [one.epoch for one in ready] == [1, 2]


SHARE = Share((BucketRange(kind="service"),))


async def test_what_is_under_way_is_stored_before_a_share_is_handed_over(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    first = await hosting.start("h1")
    await hosting.configure("db")
    append = first.log.append
    held, go_on = asyncio.Event(), asyncio.Event()

    async def slow(commit: object) -> object:
        held.set()
        await go_on.wait()
        return await append(commit)  # type: ignore[arg-type]

    first.log.append = slow  # type: ignore[method-assign,assignment]
    sending = asyncio.create_task(hosting.send("service/db", RequestProbe(reason="under way")))
    await held.wait()
    client = hosting.log.client
    handing = asyncio.create_task(ask_to(client, "h1", HAND_OVER, SHARE, 5.0))
    await until(lambda: not first.ownership.owns_bucket("service", 0))
    later = asyncio.create_task(hosting.send("service/db", RequestProbe(reason="later")))
    assert not handing.done()
    go_on.set()
    assert await handing == {}
    assert (await sending).outcome == Outcome.DONE
    assert not later.done(), "nobody owns it now, and its sender waits"
    second = await hosting.start("h2")
    assert await ask_to(client, "h2", REHEARSE, SHARE, 5.0) == {"unreadable": {}}
    await hosting.place(h1=SERVICES[1:], h2=SERVICES[:1])
    await is_owned(second, 2)
    assert (await later).outcome == Outcome.DONE
    await hosting.check_chains()


async def test_what_was_handed_over_and_placed_nowhere_is_taken_back(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_back, "TAKE_BACK_SECONDS", 0.3)
    await hosting.place(h1=SERVICES)
    host = await hosting.start("h1")
    await hosting.configure("db")
    await ask_to(hosting.log.client, "h1", HAND_OVER, SHARE, 5.0)
    assert EntityAddress("service", "db") not in host.mailroom.entities
    assert (await hosting.send("service/db", RequestProbe(reason="again"))).outcome == Outcome.DONE


async def test_buckets_that_stay_are_served_while_others_come_and_go(hosting: Hosting) -> None:
    low, high = BucketRange(kind="service", last=127), BucketRange(kind="service", first=128)
    names = [f"s{number}" for number in range(8)]
    await hosting.place(h1=(low, high))
    first = await hosting.start("h1")
    for name in names:
        await hosting.configure(name)
    for epoch in range(2, 6):
        owned = (low,) if epoch % 2 else (low, high)
        other = (high,) if epoch % 2 else ()
        sending = [
            hosting.send(f"service/{name}", RequestProbe(reason=f"{epoch}"))
            for name in names
            if first.ownership.owns(EntityAddress("service", name))
            and EntityAddress("service", name).bucket < 128
        ]
        await hosting.place(h1=owned, h2=other)
        answers = await asyncio.gather(*sending)
        assert {answer.outcome for answer in answers} == {Outcome.DONE}
        await is_owned(first, epoch)
