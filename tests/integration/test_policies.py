"""Each cause is handled exactly once by each policy, whatever is read or delivered again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from actors import deciders
from actors.deciders import DECIDERS
from actors.policies import POLICIES
from actors.policies.base import Conclusion, Policy, decider_of
from actors.runtime import policy_runner, runners
from actors.runtime.commands import Outcome, Request, deliver
from actors.runtime.letters import ReleaseEntity
from actors.runtime.policy_runner import PolicyRunner
from actors.service import SERVICE, RequestProbe, RetireService
from events.address import EntityAddress
from events.alert import AlertFired, AlertResolved
from events.base import Mark, Origin
from events.effect import EffectIntended
from events.entity import CommandDeclined, EntityParked
from events.incident import IncidentOpened, IncidentResolved
from events.policy import CauseQuarantined, PolicyAdvanced
from events.recovery import RecoverySucceeded
from events.service import ServiceProbeRequested
from tests.fixtures.checked import HELD
from tests.hosting import PLACED, Hosting, states_of
from tests.orders import check_orders_of
from tests.waiting import until

if TYPE_CHECKING:
    from actors.base import Command, Decision
    from actors.runtime.host import Host
    from actors.service import Service
    from events.base import Envelope
    from events.policy import Order
    from tests.fixtures.checked import CheckedRun

PLATFORM = {"db": (), "app": ("db",), "page": ("app",)}


def use(patch: pytest.MonkeyPatch, *policies: Policy[Any]) -> None:
    """Let hosts that start from now on run these policies."""
    patch.setattr(runners, "POLICIES", policies)
    for policy in policies:
        patch.setitem(deciders.POLICY_DECIDERS, policy.id, decider_of(policy))


def policy_of(name: str) -> Policy[Any]:
    return next(policy for policy in POLICIES if policy.id == name)


async def live_through_an_outage(hosting: Hosting) -> None:
    """Let the database fail, with what needs it, and be mended."""
    for name in PLATFORM:
        await hosting.report(name, "healthy")
    for name in ("app", "page", "db"):
        await hosting.report(name, "down")
    await hosting.until_event(IncidentOpened)
    for name in ("db", "app", "page"):
        await hosting.report(name, "healthy")
    await hosting.until_event(IncidentResolved)
    await hosting.until_event(AlertResolved)
    await hosting.quiet()


async def orders_of(hosting: Hosting) -> list[tuple[str, Order]]:
    """Give all orders that policies ever committed, with the policy's id."""
    return [
        (envelope.entity.id, order)
        for envelope in await hosting.envelopes("sf.policy.>")
        if isinstance(envelope.event, PolicyAdvanced)
        for order in envelope.event.orders
    ]


async def check_orders(hosting: Hosting) -> None:
    await check_orders_of(hosting.log)


async def feed_all_again(hosting: Hosting, host: Host) -> None:
    """Feed every event to every policy from the log's beginning, and deliver every order again."""
    for policy in POLICIES:
        entity = host.mailroom.entity(EntityAddress("policy", policy.id))
        runner = PolicyRunner(
            policy, entity, hosting.log, host.mailroom.submit, host.mailroom.due_again
        )
        async for batch in hosting.log.read(["sf.>"]):
            await runner._take(batch)
        runner.stop()
    for policy_id, order in await orders_of(hosting):
        assert (await give_again(hosting, policy_id, order)) == Outcome.DUPLICATE


async def give_again(hosting: Hosting, policy_id: str, order: Order) -> Outcome:
    origin = Origin(
        command_id=f"again.{policy_id}.{order.number}",
        principal=f"policy:{policy_id}",
        source="/test",
        time=order.time,
        correlation_id=order.correlation_id,
        causation_id=order.causation_id,
        mark=Mark(policy_id, order.number),
    )
    request = Request(EntityAddress.parse(order.target), order.command, order.arguments, origin)
    return (await deliver(hosting.log.client, request)).outcome


async def test_events_fed_three_times_the_third_after_a_restart_of_all_give_no_order_twice(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=PLACED)
    executor = await hosting.executor()
    host = await hosting.start()
    await hosting.platform(PLATFORM)
    await live_through_an_outage(hosting)
    told = executor.told()
    assert told == ["ServiceDown:db firing", "ServiceDown:db resolved"]
    head = await hosting.quiet()
    states = states_of(host)

    await feed_all_again(hosting, host)
    assert await hosting.quiet() == head
    assert states_of(host) == states

    await hosting.kill(host)
    await hosting.log.client.jsm().purge_stream("STANDFAST_CHECKPOINTS")
    host = await hosting.start()
    assert await hosting.quiet() == head + 2, "the host says that it started and that it is ready"
    await feed_all_again(hosting, host)
    assert await hosting.quiet() == head + 2
    assert executor.told() == told
    assert len(executor.errands) == 2
    await check_orders(hosting)
    await hosting.check_chains()


@pytest.mark.parametrize("kills", [1, 5])
async def test_a_host_killed_again_and_again_gives_each_order_once(
    hosting: Hosting, checked_run: CheckedRun, kills: int
) -> None:
    await hosting.place(h1=PLACED)
    executor = await hosting.executor()
    host = await hosting.start()
    await hosting.platform(PLATFORM, recovery_mode="automatic")
    for name in PLATFORM:
        await hosting.report(name, "healthy")
    for name in ("page", "app", "db")[: max(1, kills)]:
        await hosting.report(name, "down")
        await hosting.kill(host)
        host = await hosting.start()
    await hosting.until_event(IncidentOpened)
    for name in ("db", "app", "page"):
        await hosting.report(name, "healthy")
        await hosting.kill(host)
        host = await hosting.start()
    await hosting.until_event(IncidentResolved)
    await hosting.until_event(AlertResolved)
    await hosting.quiet()
    await check_orders(hosting)
    await hosting.check_chains()
    incidents = len(await hosting.events(IncidentOpened))
    assert incidents == 1
    assert [one.rpartition(" ")[2] for one in executor.told()] == ["firing", "resolved"]
    claims = ("world: ended", "causes: orders", "causes: failures seen", "causes: followed")
    await checked_run.clean(hosting.log, *HELD, *claims, hosts=("h1",))


async def test_a_renamed_policy_sends_nothing_again(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hosting.place(h1=PLACED)
    executor = await hosting.executor()
    host = await hosting.start()
    await hosting.platform(PLATFORM)
    await live_through_an_outage(hosting)
    head = await hosting.quiet()
    await hosting.kill(host)
    use(monkeypatch, *[replace(one, title=f"Renamed: {one.title}") for one in POLICIES])
    await hosting.start()
    assert await hosting.quiet() == head + 2
    assert len(executor.errands) == 2
    await hosting.report("db", "down")
    await until(lambda: len(executor.told()) == 3)


async def test_a_new_policy_learns_from_what_was_before_it_and_orders_nothing_for_it(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hosting.place(h1=PLACED)
    executor = await hosting.executor()
    with monkeypatch.context() as patch:
        use(patch, policy_of("mend"))
        host = await hosting.start()
        await hosting.platform(PLATFORM)
        for name in PLATFORM:
            await hosting.report(name, "down")
        await hosting.report("app", "healthy")
        await hosting.quiet()
        await hosting.kill(host)
    host = await hosting.start()
    await hosting.quiet(1.0)
    assert await hosting.events(IncidentOpened) == []
    assert executor.errands == []
    await hosting.report("db", "healthy")
    await hosting.report("page", "healthy")
    await hosting.quiet()
    assert await hosting.events(IncidentOpened) == []
    await live_through_an_outage(hosting)
    (opened,) = await hosting.events(IncidentOpened)
    assert opened.cause == "db", "the topology was declared before the policy was there"
    assert executor.told() == ["ServiceDown:db firing", "ServiceDown:db resolved"]


async def test_an_event_over_which_a_policy_raises_is_left_out_and_later_ones_are_handled(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    correlate = policy_of("correlate")

    def observe(state: Any, envelope: Envelope, now: datetime) -> Conclusion:
        if envelope.entity.id == "app":
            message = "a bug over the application"
            raise RuntimeError(message)
        return correlate.observe(state, envelope, now)

    use(monkeypatch, replace(correlate, observe=observe), policy_of("tell"))
    await hosting.place(h1=PLACED)
    executor = await hosting.executor()
    host = await hosting.start()
    await hosting.platform(PLATFORM)
    await hosting.report("app", "down")
    (left_out,) = await hosting.until_event(CauseQuarantined)
    assert left_out.cause_type == "standfast.service.went_down.v1"
    assert "a bug over the application" in left_out.error
    await hosting.report("db", "down")
    await hosting.until_event(IncidentOpened)
    await until(lambda: len(executor.told()) == 2)
    assert sorted(executor.told()) == [
        "EventLeftOut:policy/correlate firing",
        "ServiceDown:db firing",
    ]
    await hosting.kill(host)
    await hosting.start()
    await hosting.quiet()
    assert len(await hosting.events(CauseQuarantined)) == 1
    assert await hosting.events(EntityParked) == []


async def test_an_order_that_leads_to_nothing_is_recorded_as_declined(hosting: Hosting) -> None:
    await hosting.place(h1=PLACED)
    await hosting.start()
    await hosting.platform({"app": ("ghost",), "ghost": ()})
    retire = RetireService(reason="test", configuration_hash="hash")
    await hosting.send("service/ghost", retire)
    await hosting.report("app", "down")
    (declined,) = await hosting.until_event(CommandDeclined, "service/ghost")
    assert declined.command == "RequestProbe"
    assert declined.reason == "the service is retired, not watched"
    await hosting.quiet()
    await check_orders(hosting)


async def test_an_order_to_what_is_parked_is_given_when_it_is_released(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide(state: Service, command: Command, now: datetime) -> Decision:
        if isinstance(command, RequestProbe) and command.reason == "poison":
            message = "a bug"
            raise RuntimeError(message)
        return SERVICE.decide(state, command, now)

    monkeypatch.setitem(DECIDERS, "service", replace(SERVICE, decide=decide))
    monkeypatch.setattr(policy_runner, "PARKED_RETRY_SECONDS", 0.1)
    await hosting.place(h1=PLACED)
    await hosting.start()
    await hosting.platform(PLATFORM)
    answer = await hosting.send("service/db", RequestProbe(reason="poison"))
    assert answer.outcome == Outcome.PARKED
    await hosting.report("app", "down")
    await hosting.until_event(IncidentOpened)
    await hosting.quiet()
    assert await hosting.events(ServiceProbeRequested) == []
    assert (await hosting.send("service/db", ReleaseEntity(reason="mended"))).accepted
    (probe,) = await hosting.until_event(ServiceProbeRequested)
    assert probe.reason == "app needs it and is down"
    await hosting.until_event(AlertFired)
    await hosting.quiet()
    await check_orders(hosting)


async def test_marks_rise_for_each_policy_by_itself(hosting: Hosting) -> None:
    await hosting.place(h1=("service", "platform", "topology"))
    host = await hosting.start()
    await hosting.configure("s")
    address = EntityAddress("service", "s")

    async def order(policy: str, number: int, reason: str) -> Outcome:
        now = datetime.now(UTC)
        origin = Origin(f"{policy}.{number}", "p", "/s", now, "c", mark=Mark(policy, number))
        request = Request(address, "RequestProbe", {"reason": reason}, origin)
        return (await deliver(hosting.log.client, request)).outcome

    assert await order("one", 1, "a") == Outcome.DONE
    assert await order("two", 1, "b") == Outcome.DONE
    assert await order("one", 1, "a") == Outcome.DUPLICATE
    assert await order("one", 5, "c") == Outcome.DONE
    assert await order("two", 2, "d") == Outcome.DONE
    assert await order("one", 4, "never") == Outcome.DUPLICATE
    assert host.mailroom.entities[address].marks == {"one": 5, "two": 2}
    await hosting.kill(host)
    await hosting.start()
    assert await order("two", 2, "d") == Outcome.DUPLICATE
    reasons = [event.reason for event in await hosting.events(ServiceProbeRequested)]
    assert reasons == ["a", "b", "c", "d"]


async def test_an_order_that_its_target_does_not_know_is_declined_on_record(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=("service", "platform", "topology"))
    await hosting.start()
    await hosting.configure("s")
    now = datetime.now(UTC)
    origin = Origin("p.1", "p", "/s", now, "c", mark=Mark("p", 1))
    request = Request(EntityAddress("service", "s"), "FlyAway", {}, origin)
    assert (await deliver(hosting.log.client, request)).outcome == Outcome.INVALID
    (declined,) = await hosting.events(CommandDeclined)
    assert declined.command == "FlyAway"
    assert (await deliver(hosting.log.client, request)).outcome == Outcome.DUPLICATE


async def test_policies_may_move_to_another_host(hosting: Hosting) -> None:
    without = tuple(kind for kind in PLACED if kind != "policy")
    await hosting.place(h1=PLACED)
    executor = await hosting.executor(outcome="")
    first = await hosting.start()
    await hosting.platform(PLATFORM, settle_seconds=1.0, recovery_mode="automatic")
    await hosting.report("app", "down")
    await hosting.place(h1=without, h2=("policy",))
    await hosting.start("h2")
    await until(lambda: first.ownership.epoch == 2 and first.is_ready)
    await hosting.until_event(IncidentOpened)
    await hosting.until_event(EffectIntended)
    await hosting.quiet()
    await check_orders(hosting)
    await hosting.check_chains()
    assert [one for one in first.mailroom.entities if one.kind == "policy"] == []
    assert len(executor.told()) == 1
    assert await hosting.events(RecoverySucceeded) == []
