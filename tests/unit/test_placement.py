"""Each bucket has at most one owner, and epochs only rise."""

from __future__ import annotations

from actors.placement import PLACEMENT, PlaceBuckets
from events.placement import BucketRange, BucketsPlaced
from tests.deciding import Story


def place(**hosts: tuple[BucketRange, ...]) -> PlaceBuckets:
    return PlaceBuckets(hosts=hosts)


LOW, HIGH = BucketRange(kind="service", last=99), BucketRange(kind="service", first=100)


def test_every_new_placement_is_a_new_epoch() -> None:
    story = Story(PLACEMENT)
    for epoch, command in enumerate([place(a=(LOW, HIGH)), place(a=(LOW,), b=(HIGH,))], 1):
        (placed,) = story.give(command)
        assert isinstance(placed, BucketsPlaced)
        assert placed.epoch == epoch
        assert story.give(command) == []


def test_a_bucket_with_two_owners_is_declined_and_named() -> None:
    story = Story(PLACEMENT)
    reason = story.declines(place(a=(LOW,), b=(BucketRange(kind="service", first=99),)))
    assert reason == "two hosts would own bucket 99 of service"
    assert story.names(place(a=(LOW,), b=(BucketRange(kind="alert"),))) == ["BucketsPlaced"]
