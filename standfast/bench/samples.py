"""Commits as a platform writes them: services that are configured, fail, and are well again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from events.address import EntityAddress
from events.base import Evidence, Excerpt, Origin
from events.commit import Commit, Head, fact_of
from events.ids import new_id
from events.service import (
    ServiceBecameHealthy,
    ServiceConfigured,
    ServiceSettings,
    ServiceWentDown,
    TcpCheck,
)
from standfast.bench.ground import AUTHOR

if TYPE_CHECKING:
    from events.base import Event
    from events.log import Log

WRITERS = 100
BEGIN = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SETTINGS = ServiceSettings(checks=(TcpCheck(name="tcp", port=5432),))
CONFIGURED = ServiceConfigured(settings=SETTINGS, configuration_hash="0" * 64)


def service(number: int) -> EntityAddress:
    """Give the address of a service of the bench."""
    return EntityAddress("service", f"bench-{number:05d}")


def commit_of(entity: EntityAddress, previous: Head, event: Event, number: int) -> Commit:
    """Give a commit of one event, as a host would make it."""
    origin = Origin(
        command_id=new_id(),
        principal="process:evaluator",
        source="/standfast/evaluator",
        time=BEGIN + timedelta(seconds=number),
        correlation_id=new_id(),
    )
    return Commit(
        id=new_id(),
        entity=entity,
        previous=previous,
        decided=origin.time,
        author=AUTHOR,
        origins=(origin,),
        facts=(fact_of(event, 0),),
    )


def verdict(number: int) -> Event:
    """Give a failure or its end, in turn, with what it rests on."""
    time = BEGIN + timedelta(seconds=number)
    excerpt = Excerpt(
        time=time, check="tcp", succeeded=False, duration_seconds=0.001, reason="refused"
    )
    down = number % 2 == 0
    evidence = Evidence(
        stream="STANDFAST_TELEMETRY",
        log_id="bench",
        generation=1,
        first=number,
        last=number + 3,
        excerpt=(excerpt,) if down else (),
    )
    if down:
        return ServiceWentDown(
            was="healthy",
            since=time,
            check="tcp",
            reason="refused by 127.0.0.1:5432",
            evidence=evidence,
        )
    return ServiceBecameHealthy(was="down", since=time, evidence=evidence, down_seconds=1.0)


def history(events: int) -> list[Event]:
    """Give what happens to a service: it is configured, then down and healthy in turn."""
    return [verdict(turn) if turn else CONFIGURED for turn in range(events)]


async def write_history(log: Log, services: int, events_each: int) -> int:
    """Write the history of some services, one event a commit. Gives how many events there are."""

    async def write(worker: int) -> None:
        for number in range(worker, services, WRITERS):
            entity, head = service(number), Head()
            for turn, event in enumerate(history(events_each)):
                head = await log.append(commit_of(entity, head, event, turn))

    await asyncio.gather(*[write(worker) for worker in range(WRITERS)])
    return services * events_each
