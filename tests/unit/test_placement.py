"""Each bucket has at most one owner, and epochs only rise."""

from __future__ import annotations

from hypothesis import given
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


def owner_of(hosts: dict[str, tuple[BucketRange, ...]], kind: str, bucket: int) -> str:
    (owner,) = [
        name
        for name, parts in hosts.items()
        if any(part.kind == kind and part.first <= bucket <= part.last for part in parts)
    ]
    return owner


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


@given(cuts, cuts, st.sampled_from([7, 32, 256]))
def test_on_the_way_every_bucket_has_one_owner_and_each_moves_at_most_once(
    before: list[str], after: list[str], at_once: int
) -> None:
    now = Placement(epoch=1, hosts=spread(before))
    hosts, moved = now.hosts, set[int]()
    for step in steps(now, PlaceBuckets(hosts=spread(after)), at_once):
        changed = {
            bucket
            for bucket in range(256)
            if owner_of(hosts, "service", bucket) != owner_of(step.placed.hosts, "service", bucket)
        }
        assert changed == told(step)
        assert not changed & moved
        assert {owner_of(step.placed.hosts, "service", one) for one in changed} == {step.taking}
        moved |= changed
        hosts = step.placed.hosts
    assert [owner_of(hosts, "service", number * 32) for number in range(8)] == after


def told(step: Step) -> set[int]:
    return {
        bucket
        for parts in step.leaving.values()
        for part in parts
        for bucket in range(part.first, part.last + 1)
    }
