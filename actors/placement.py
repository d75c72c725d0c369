"""Placement: which host owns which buckets, by an epoch that only rises."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import TypeAdapter

from actors.base import Command, Decider, Decision, Declined, Tick
from events.address import BUCKETS, EntityAddress
from events.base import Value
from events.placement import BucketRange, BucketsPlaced, PlacementEvent


class Placement(Value):
    """The current placement; epoch 0 is none."""

    epoch: int = 0
    hosts: dict[str, tuple[BucketRange, ...]] = {}
    isolated: dict[str, str] = {}


class PlaceBuckets(Command):
    """Place all buckets anew."""

    hosts: dict[str, tuple[BucketRange, ...]]
    isolated: dict[str, str] = {}


def decide(state: Placement, command: Command, now: datetime) -> Decision:
    """Decide what a command means for the placement."""
    del now
    match command:
        case Tick():
            return []
        case PlaceBuckets(hosts=hosts, isolated=isolated):
            if (hosts, isolated) == (state.hosts, state.isolated):
                return []
            if overlap := _owned_twice(hosts):
                return Declined(f"two hosts would own {overlap}")
            return [BucketsPlaced(epoch=state.epoch + 1, hosts=hosts, isolated=isolated)]
        case _:
            return Declined(f"a placement does not know {type(command).__name__}")


def _owned_twice(hosts: dict[str, tuple[BucketRange, ...]]) -> str:
    seen: set[tuple[str, int]] = set()
    for ranges in hosts.values():
        for part in ranges:
            for bucket in range(part.first, part.last + 1):
                if (part.kind, bucket) in seen:
                    return f"bucket {bucket} of {part.kind}"
                seen.add((part.kind, bucket))
    return ""


class Step(Value):
    """One step of a move: the placement after it, who takes, and who leaves what to it."""

    taking: str
    leaving: dict[str, tuple[BucketRange, ...]] = {}
    isolated: dict[str, str] = {}
    """The addresses of entities that move by themselves, each with the host that leaves it."""
    placed: PlaceBuckets


Owners = dict[tuple[str, int], str]


def steps(now: Placement, then: PlaceBuckets, buckets_at_once: int) -> list[Step]:
    """Give the way from a placement to another: host by host, so many buckets of a kind at once.

    Hosts that end up with nothing stay in the placement: the last word is `then` itself.
    """
    owners, isolated = _owners(now.hosts), dict(now.isolated)
    target = _owners(then.hosts)
    names = (*now.hosts, *then.hosts)
    found: list[Step] = []
    for taking in then.hosts:
        for first in range(0, BUCKETS, buckets_at_once):
            moving = {
                key: owners[key]
                for key, owner in target.items()
                if owner == taking != owners.get(key, taking)
                and first <= key[1] < first + buckets_at_once
            }
            owners |= dict.fromkeys(moving, taking)
            if moving:
                placed = PlaceBuckets(hosts=_ranges(owners, names), isolated=isolated)
                found.append(Step(taking=taking, leaving=_left(moving), placed=placed))
    hosts = _ranges({**owners, **target}, names)
    return [*found, *_steps_alone(now.isolated, then, owners, hosts)]


def _steps_alone(
    isolated: dict[str, str],
    then: PlaceBuckets,
    owners: Owners,
    hosts: dict[str, tuple[BucketRange, ...]],
) -> list[Step]:
    """Give a step for each entity that has, gets or had a host for itself."""
    found: list[Step] = []
    for address in sorted({*isolated, *then.isolated}):
        entity = EntityAddress.parse(address)
        in_bucket = owners.get((entity.kind, entity.bucket), "")
        leaving = isolated.get(address, in_bucket)
        taking = then.isolated.get(address, in_bucket)
        if leaving != taking:
            isolated = {**isolated, address: taking}
            if address not in then.isolated:
                del isolated[address]
            placed = PlaceBuckets(hosts=hosts, isolated=isolated)
            found.append(Step(taking=taking, isolated={address: leaving}, placed=placed))
    return found


def _owners(hosts: dict[str, tuple[BucketRange, ...]]) -> Owners:
    return {
        (part.kind, bucket): host
        for host, parts in hosts.items()
        for part in parts
        for bucket in range(part.first, part.last + 1)
    }


def _ranges(owners: Owners, names: Iterable[str]) -> dict[str, tuple[BucketRange, ...]]:
    """Give each host's buckets as few ranges; the kinds keep their order."""
    found: dict[str, list[BucketRange]] = {name: [] for name in names}
    kinds = dict.fromkeys(kind for kind, _ in owners)
    for kind, bucket in ((kind, bucket) for kind in kinds for bucket in range(BUCKETS)):
        host = owners.get((kind, bucket))
        if host is None:
            continue
        parts = found[host]
        if parts and (parts[-1].kind, parts[-1].last) == (kind, bucket - 1):
            parts[-1] = BucketRange(kind=kind, first=parts[-1].first, last=bucket)
        else:
            parts.append(BucketRange(kind=kind, first=bucket, last=bucket))
    return {host: tuple(parts) for host, parts in found.items()}


def _left(moving: Owners) -> dict[str, tuple[BucketRange, ...]]:
    return _ranges(moving, dict.fromkeys(moving.values()))


def evolve(state: Placement, event: PlacementEvent) -> Placement:
    """Give the placement after an event."""
    del state
    return Placement(epoch=event.epoch, hosts=event.hosts, isolated=event.isolated)


PLACEMENT: Decider[Placement] = Decider(
    kind="placement",
    initial=Placement(),
    states=TypeAdapter(Placement),
    state_version=1,
    commands=(PlaceBuckets,),
    events=(BucketsPlaced,),
    decide=decide,
    evolve=evolve,  # type: ignore[arg-type]  # the host passes only events of this kind
)
