"""A past in memory that a test of the checker writes, rightly or wrongly."""

from __future__ import annotations

from datetime import datetime, timedelta

from events.alert import AlertFired, Escalation
from events.base import Origin
from events.commit import Commit
from events.effect import (
    Argument,
    EffectIntended,
    Intent,
)
from events.placement import BucketRange, BucketsPlaced
from events.service import ServiceBecameHealthy, ServiceProbeRequested, ServiceWentDown
from scenarios.checker.checker import Checker
from tests.checking import fed
from tests.history import EPOCH, Recorder
from tests.memory_log import MemoryLog
from tests.story import evidence

LATER = EPOCH + timedelta(hours=1)
SERVICE, ALERT, POLICY = "service/demo-app", "alert/a", "policy/correlate"


class Past:
    """A log in memory that a test writes, rightly or wrongly."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.recorder = Recorder(self.log)

    async def append(self, address: str, *events: object, **origin: object) -> str:
        """Append events whose origin has some fields changed; gives the commit's id."""
        recorder = self.recorder
        recorder.count += 1
        recorder.now += timedelta(seconds=1)
        commit = recorder.commit(address, events, None, None, "test")  # type: ignore[arg-type]
        commit = replace_origin(commit, **origin)
        recorder.heads[commit.entity] = await self.log.append(commit)
        return commit.id

    def checker(self) -> Checker:
        return fed(self.log.stored)

    @property
    def last(self) -> int:
        return len(self.log.stored)


def replace_origin(commit: Commit, **changes: object) -> Commit:
    (origin,) = commit.origins
    fields = {name: getattr(origin, name) for name in Origin.__match_args__} | changes
    return Commit(
        id=commit.id,
        entity=commit.entity,
        previous=commit.previous,
        decided=commit.decided,
        author=commit.author,
        origins=(Origin(**fields),),
        facts=commit.facts,
    )


async def goes_down(past: Past, service: str = "db") -> None:
    """A service goes down."""
    since, seen = past.recorder.now, evidence(past.recorder)
    down = ServiceWentDown(was="healthy", since=since, check="", reason="", evidence=seen)
    await past.append(f"service/{service}", down)


async def becomes_healthy(past: Past, service: str = "db") -> None:
    """A service becomes healthy."""
    since, seen = past.recorder.now, evidence(past.recorder)
    healthy = ServiceBecameHealthy(was="down", since=since, evidence=seen)
    await past.append(f"service/{service}", healthy)


def probe() -> ServiceProbeRequested:
    return ServiceProbeRequested(reason="test")


def placed(**kinds: str) -> BucketsPlaced:
    hosts: dict[str, tuple[BucketRange, ...]] = {
        host: (BucketRange(kind=kind),) for host, kind in kinds.items()
    }
    return BucketsPlaced(epoch=1, hosts=hosts)


def intended(number: int, status: str, now: datetime, episode: int = 1) -> EffectIntended:
    arguments: dict[str, Argument] = {
        "receiver": "ops",
        "status": status,
        "episode": episode,
        "level": 0,
        "key": f"{episode}-{status}-0",
    }
    intent = Intent(
        number=number,
        effect="notify",
        executor="executor",
        deadline=now + timedelta(seconds=15),
        arguments=arguments,
    )
    return EffectIntended(intent=intent)


FIRED = AlertFired(
    labels={"alertname": "A"},
    annotations={},
    severity="info",
    receivers=("ops",),
    escalation=Escalation(),
    tell_again_at=None,
    incident="",
    executor="executor",
)
