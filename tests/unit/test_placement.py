"""Each bucket has at most one owner, and epochs only rise."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.placement import PLACEMENT, PlaceBuckets, Placement, Step, steps
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


KINDS = ("service", "alert")
ALL = tuple(BucketRange(kind=kind) for kind in KINDS)


def owners_of(hosts: dict[str, tuple[BucketRange, ...]]) -> list[str]:
    """Give the owner of each bucket of services; each must have exactly one."""
    found: dict[int, str] = {}
    for name, parts in hosts.items():
        for part in parts:
            buckets = range(part.first, part.last + 1)
            assert found.keys().isdisjoint(buckets)
            found.update(dict.fromkeys(buckets, name))
    return [found[bucket] for bucket in range(256)]


def test_a_host_is_replaced_in_steps_of_some_buckets_of_each_kind() -> None:
    now = Placement(epoch=1, hosts={"old": ALL})
    way = steps(now, place(new=ALL), 32)
    assert [step.taking for step in way] == ["new"] * 8
    first, *_, last = way
    part = tuple(BucketRange(kind=kind, last=31) for kind in KINDS)
    assert first.leaving == {"old": part}
    assert first.placed.hosts["new"] == part
    assert last.placed.hosts == {"old": (), "new": ALL}


def test_nothing_moves_where_all_is_as_it_should_be() -> None:
    assert steps(Placement(epoch=1, hosts={"one": ALL}), place(one=ALL), 32) == []


def test_an_entity_with_a_host_of_its_own_moves_by_itself() -> None:
    now = Placement(epoch=1, hosts={"all": ALL}, isolated={"service/a": "a1", "service/b": "b1"})
    then = PlaceBuckets(hosts={"all": ALL}, isolated={"service/a": "a2", "service/c": "c1"})
    way = [(step.taking, step.isolated, step.placed.isolated) for step in steps(now, then, 32)]
    assert way == [
        ("a2", {"service/a": "a1"}, {"service/a": "a2", "service/b": "b1"}),
        ("all", {"service/b": "b1"}, {"service/a": "a2"}),
        ("c1", {"service/c": "all"}, {"service/a": "a2", "service/c": "c1"}),
    ]


cuts = st.lists(st.sampled_from(["h1", "h2", "h3"]), min_size=8, max_size=8)


def spread(owners: list[str]) -> dict[str, tuple[BucketRange, ...]]:
    hosts: dict[str, tuple[BucketRange, ...]] = {}
    for number, owner in enumerate(owners):
        part = BucketRange(kind="service", first=number * 32, last=number * 32 + 31)
        hosts[owner] = (*hosts.get(owner, ()), part)
    return hosts


@settings(deadline=None)
@given(cuts, cuts, st.sampled_from([16, 32, 256]))
def test_on_the_way_every_bucket_has_one_owner_and_each_moves_at_most_once(
    before: list[str], after: list[str], at_once: int
) -> None:
    owners, moved = owners_of(spread(before)), set[int]()
    now = Placement(epoch=1, hosts=spread(before))
    for step in steps(now, PlaceBuckets(hosts=spread(after)), at_once):
        then = owners_of(step.placed.hosts)
        changed = {bucket for bucket in range(256) if owners[bucket] != then[bucket]}
        assert changed == told(step)
        assert not changed & moved
        assert {then[one] for one in changed} == {step.taking}
        moved |= changed
        owners = then
    assert owners == owners_of(spread(after))


def told(step: Step) -> set[int]:
    return {
        bucket
        for parts in step.leaving.values()
        for part in parts
        for bucket in range(part.first, part.last + 1)
    }
