"""The evaluator reports what changed and nothing else; what nobody saw is NO DATA, never down."""

from __future__ import annotations

import asyncio

from actors.service import Down, Healthy, NoData, Unproven
from events.address import EntityAddress
from events.service import ServiceBecameHealthy, ServiceLostSight, ServiceWentDown
from events.streams import telemetry_identity
from tests.fixtures.service_host import Services
from tests.waiting import until
from tests.watching import (
    QUICK,
    Seer,
    evaluating,
    facts,
    running,
    seen_every,
    until_read_on,
)


async def test_three_failures_are_down_and_two_successes_healthy_again(services: Services) -> None:
    await services.configure("web", QUICK)
    async with evaluating(services.log) as (_, seer):
        seer.see("web", succeeded=True)
        await until(lambda: isinstance(services.health("web"), Healthy))
        for _ in range(3):
            seer.see("web", succeeded=False)
            await asyncio.sleep(0.01)
        await until(lambda: isinstance(services.health("web"), Down))
        for _ in range(2):
            seer.see("web", succeeded=True)
            await asyncio.sleep(0.01)
        await until(lambda: isinstance(services.health("web"), Healthy))
    healthy, down, again = await facts(services, "web")
    assert isinstance(healthy, ServiceBecameHealthy)
    assert isinstance(down, ServiceWentDown)
    assert isinstance(again, ServiceBecameHealthy)
    assert (down.since, down.check, down.reason) == (seer.written[1], "tcp", "failure 4")
    assert (healthy.since, again.since) == (seer.written[0], seer.written[4])
    evidence = down.evidence
    assert [row.succeeded for row in evidence.excerpt] == [True, False, False, False]
    assert [row.time for row in evidence.excerpt] == seer.written[:4]
    telemetry = await telemetry_identity(services.log.client, services.log.identity)
    assert (evidence.stream, evidence.log_id) == ("STANDFAST_TELEMETRY", telemetry.log_id)
    message = await services.log.client.jsm().get_msg(evidence.stream, evidence.last)
    assert b"failure 4" in (message.data or b"")
    commits = [one async for one in services.log.read_entity(EntityAddress("service", "web"))]
    assert commits[2].commit.origins[0].time == seer.written[3]


async def test_silence_is_no_data_and_a_success_ends_it(services: Services) -> None:
    await services.configure("web", QUICK)
    await services.configure("never", QUICK)
    async with evaluating(services.log) as (_, seer):
        seer.see("web", succeeded=True)
        await until(lambda: isinstance(services.health("web"), Healthy))
        await until(lambda: isinstance(services.health("web"), NoData))
        await until(lambda: isinstance(services.health("never"), NoData))
        seer.see("web", succeeded=True)
        await until(lambda: isinstance(services.health("web"), Healthy))
    lost = (await facts(services, "web"))[1]
    assert isinstance(lost, ServiceLostSight)
    assert lost.reason == "no result of check tcp for 0.9 s"
    assert lost.since == seer.written[0]


async def test_marked_failures_are_no_data_and_never_down(services: Services) -> None:
    for service in ("lagged", "canary"):
        await services.configure(service, QUICK)
    async with evaluating(services.log) as (_, seer):
        for service in ("lagged", "canary"):
            seer.see(service, succeeded=True)
        async with (
            seen_every(0.1, seer, "lagged", succeeded=False, lagged=True),
            seen_every(0.1, seer, "canary", succeeded=False, canary_failed=True),
        ):
            for service in ("lagged", "canary"):
                await until(lambda one=service: isinstance(services.health(one), NoData))  # type: ignore[misc]
    lagged, canary = (await facts(services, "lagged"), await facts(services, "canary"))
    assert [type(fact) for fact in lagged] == [ServiceBecameHealthy, ServiceLostSight]
    assert [type(fact) for fact in canary] == [ServiceBecameHealthy, ServiceLostSight]
    assert isinstance(lagged[1], ServiceLostSight)
    assert lagged[1].reason.endswith(": prober-1 lagged")
    assert isinstance(canary[1], ServiceLostSight)
    assert canary[1].reason.endswith(": prober-1 did not see its canary either")


async def test_a_steady_state_causes_no_command(services: Services) -> None:
    names = [f"service-{number}" for number in range(200)]
    calm = QUICK.model_copy(update={"interval_seconds": 2.0})
    for name in names:
        await services.configure(name, calm)
    async with evaluating(services.log) as (evaluator, seer):
        async with running(see_all(seer, names)):
            await until(lambda: all(isinstance(services.health(n), Healthy) for n in names), 20)
            before = evaluator.reporter.reports
            await until_read_on(evaluator, 3)
        assert evaluator.reporter.reports == before == 200


async def see_all(seer: Seer, names: list[str]) -> None:
    while True:
        for name in names:
            seer.see(name, succeeded=True)
        await asyncio.sleep(0.3)


async def test_a_restart_says_nothing_false_and_counts_on(services: Services) -> None:
    await services.configure("web", QUICK)
    await services.configure("down", QUICK)
    async with evaluating(services.log) as (_, seer):
        seer.see("web", succeeded=True)
        for _ in range(3):
            seer.see("down", succeeded=False)
            await asyncio.sleep(0.01)
        await until(lambda: isinstance(services.health("down"), Down))
        await until(lambda: isinstance(services.health("web"), Healthy))
        seer.see("web", succeeded=False)
        await asyncio.sleep(0.01)
        seer.see("web", succeeded=False)
        seer.see("down", succeeded=True)
        await until(lambda: seer.writer.waiting_batches == 0)
    async with evaluating(services.log) as (evaluator, seer):
        assert evaluator.reporter.reports == 0
        seer.see("web", succeeded=False)
        await until(lambda: isinstance(services.health("web"), Down))
        seer.see("down", succeeded=True)
        await until(lambda: isinstance(services.health("down"), Healthy))
    assert [type(fact) for fact in await facts(services, "web")] == [
        ServiceBecameHealthy,
        ServiceWentDown,
    ]


async def test_a_start_gives_probers_time_to_start_too(services: Services) -> None:
    """As after a restore of the log, when all begin anew: it is no NO DATA that all were away."""
    await services.configure("web", QUICK)
    async with evaluating(services.log) as (_, seer):
        seer.see("web", succeeded=True)
        await until(lambda: isinstance(services.health("web"), Healthy))
    async with evaluating(services.log, settling_seconds=3.0) as (evaluator, seer):
        await until_read_on(evaluator, 2.0)
        seer.see("web", succeeded=True)
        await until_read_on(evaluator, 0.5)
        assert evaluator.reporter.reports == 0
        await until(lambda: isinstance(services.health("web"), NoData))
    assert [type(fact) for fact in await facts(services, "web")] == [
        ServiceBecameHealthy,
        ServiceLostSight,
    ]


async def test_a_retired_service_is_forgotten_and_a_new_one_is_unproven(
    services: Services,
) -> None:
    await services.configure("web", QUICK)
    async with evaluating(services.log) as (evaluator, seer):
        async with seen_every(0.1, seer, "web"):
            await until(lambda: isinstance(services.health("web"), Healthy))
            await services.retire("web")
            await until(lambda: evaluator.watching.services == ())
        reports = evaluator.reporter.reports
        await services.configure("web", QUICK)
        assert isinstance(services.health("web"), Unproven)
        await until(lambda: isinstance(services.health("web"), NoData))
        assert evaluator.reporter.reports == reports + 1
        await services.retire("web")
        await services.configure("web", QUICK)
        await until(lambda: isinstance(services.health("web"), NoData))


async def test_a_changed_check_counts_anew(services: Services) -> None:
    await services.configure("web", QUICK)
    async with evaluating(services.log) as (evaluator, seer):
        seer.see("web", succeeded=False)
        await asyncio.sleep(0.01)
        seer.see("web", succeeded=False)
        await until(lambda: seer.writer.waiting_batches == 0)
        moved = QUICK.model_copy(update={"port": 2})
        answer = await services.configure("web", moved)
        await until(lambda: evaluator.reporter.book.pages["web"].sequence == answer.sequence)
        seer.see("web", succeeded=False)
        seer.see("web", succeeded=True, check="tcp")
        await until(lambda: isinstance(services.health("web"), Healthy))
