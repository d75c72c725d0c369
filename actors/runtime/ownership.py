"""Ownership: which entities a host may decide for, as the placement says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from events.address import BUCKETS, EntityAddress
from events.placement import BucketRange
from events.subjects import command_filter, command_subject

if TYPE_CHECKING:
    from actors.placement import Placement

PLACEMENT_ADDRESS = EntityAddress("placement", "main")


@dataclass(frozen=True, slots=True)
class Ownership:
    """What one host owns in one epoch."""

    epoch: int = 0
    ranges: tuple[BucketRange, ...] = ()
    isolated_here: frozenset[EntityAddress] = frozenset()
    isolated_elsewhere: frozenset[EntityAddress] = frozenset()

    def owns(self, entity: EntityAddress) -> bool:
        """Say whether the host may decide for an entity."""
        if entity in self.isolated_here:
            return True
        return entity not in self.isolated_elsewhere and self.owns_bucket(
            entity.kind, entity.bucket
        )

    def owns_bucket(self, kind: str, bucket: int) -> bool:
        """Say whether a bucket of a kind is the host's."""
        return any(part.kind == kind and part.first <= bucket <= part.last for part in self.ranges)

    def without(self, kind: str, first: int, last: int | None = None) -> Ownership:
        """Give the ownership after a bucket, or buckets from first to last, were left."""
        last = first if last is None else last
        ranges: list[BucketRange] = []
        for part in self.ranges:
            if part.kind != kind or last < part.first or part.last < first:
                ranges.append(part)
                continue
            if part.first < first:
                ranges.append(BucketRange(kind=kind, first=part.first, last=first - 1))
            if last < part.last:
                ranges.append(BucketRange(kind=kind, first=last + 1, last=part.last))
        return replace(self, ranges=tuple(ranges))

    def without_isolated(self, left: frozenset[EntityAddress]) -> Ownership:
        """Give the ownership after entities were left that this host was for."""
        here = self.isolated_here - left
        return replace(self, isolated_here=here, isolated_elsewhere=self.isolated_elsewhere | left)

    def common_with(self, other: Ownership) -> Ownership:
        """Give what is owned here and there, as of this epoch."""
        ranges = [
            BucketRange(
                kind=part.kind, first=max(part.first, its.first), last=min(part.last, its.last)
            )
            for part in self.ranges
            for its in other.ranges
            if part.kind == its.kind and part.first <= its.last and its.first <= part.last
        ]
        return Ownership(
            self.epoch,
            tuple(ranges),
            self.isolated_here & other.isolated_here,
            self.isolated_elsewhere | other.isolated_elsewhere,
        )

    def is_same_share_as(self, other: Ownership) -> bool:
        """Say whether the same is owned, be it in another epoch."""
        return self == replace(other, epoch=self.epoch)

    def command_filters(self) -> list[str]:
        """Give the subjects under which commands for the host arrive."""
        filters = [command_subject(entity) for entity in self.isolated_here]
        for part in self.ranges:
            if part.last - part.first + 1 == BUCKETS:
                filters.append(command_filter(part.kind))
            else:
                buckets = range(part.first, part.last + 1)
                filters.extend(command_filter(part.kind, bucket) for bucket in buckets)
        return filters


def ownership_of(placement: Placement, host: str) -> Ownership:
    """Give what a host owns by a placement."""
    owners = {EntityAddress.parse(address): owner for address, owner in placement.isolated.items()}
    return Ownership(
        epoch=placement.epoch,
        ranges=placement.hosts.get(host, ()),
        isolated_here=frozenset(entity for entity, owner in owners.items() if owner == host),
        isolated_elsewhere=frozenset(entity for entity, owner in owners.items() if owner != host),
    )


def gained(before: Ownership, after: Ownership) -> list[BucketRange]:
    """Give the buckets that are owned after and were not before, as few ranges as there are."""
    ranges: list[BucketRange] = []
    for part in after.ranges:
        first: int | None = None
        for bucket in range(part.first, part.last + 2):
            is_new = bucket <= part.last and not before.owns_bucket(part.kind, bucket)
            if is_new and first is None:
                first = bucket
            elif not is_new and first is not None:
                ranges.append(BucketRange(kind=part.kind, first=first, last=bucket - 1))
                first = None
    return ranges
