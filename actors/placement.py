"""Placement: which host owns which buckets, by an epoch that only rises."""

from __future__ import annotations

from datetime import datetime

from pydantic import TypeAdapter

from actors.base import Command, Decider, Decision, Declined, Tick
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
