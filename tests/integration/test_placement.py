"""Buckets pass from host to host without a command, a timer or an intent being forgotten."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from actors.alert import FireAlert
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
