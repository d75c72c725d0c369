"""A host decides for what it was given in an epoch, and for nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.placement import Placement
from actors.runtime.ownership import Ownership, gained, ownership_of
from events.address import EntityAddress
from events.placement import BucketRange

DB = EntityAddress("service", "db")
ALL = BucketRange(kind="service")


@st.composite
def ranges(draw: st.DrawFn) -> tuple[BucketRange, ...]:
    cuts = sorted(draw(st.lists(st.integers(0, 255), max_size=6, unique=True)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return tuple(BucketRange(kind="service", first=first, last=last) for first, last in pairs)


def owned(ownership: Ownership) -> set[int]:
    return {bucket for bucket in range(256) if ownership.owns_bucket("service", bucket)}


@given(ranges(), ranges())
def test_what_is_gained_is_what_was_not_owned_before(
    before: tuple[BucketRange, ...], after: tuple[BucketRange, ...]
) -> None:
    old, new = Ownership(1, before), Ownership(2, after)
    found = {bucket for part in gained(old, new) for bucket in range(part.first, part.last + 1)}
    assert found == owned(new) - owned(old)


@given(ranges(), st.integers(0, 255))
def test_a_bucket_that_was_given_up_is_the_only_one_that_is_lost(
    given_ranges: tuple[BucketRange, ...], bucket: int
) -> None:
    ownership = Ownership(1, given_ranges)
    assert owned(ownership.without("service", bucket)) == owned(ownership) - {bucket}
    assert owned(ownership.without("alert", bucket)) == owned(ownership)


def test_an_isolated_entity_is_owned_by_its_own_host_alone() -> None:
    placement = Placement(epoch=3, hosts={"all": (ALL,)}, isolated={"service/db": "own"})
    own, others = ownership_of(placement, "own"), ownership_of(placement, "all")
    assert own.owns(DB)
    assert not others.owns(DB)
    assert others.owns(EntityAddress("service", "app"))
    assert not own.owns(EntityAddress("service", "app"))
    assert own.command_filters() == [f"sfc.service.{DB.bucket:02x}.db"]
    assert not ownership_of(placement, "nobody").owns(EntityAddress("service", "app"))


def test_commands_are_heard_for_whole_kinds_or_for_buckets() -> None:
    assert Ownership(1, (ALL,)).command_filters() == ["sfc.service.>"]
    part = BucketRange(kind="service", first=1, last=2)
    assert Ownership(1, (part,)).command_filters() == ["sfc.service.01.>", "sfc.service.02.>"]
