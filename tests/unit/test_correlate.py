"""One failure is one incident, in whatever order its parts are seen."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import permutations

import pytest

from actors.incident import Resolved
from actors.policies.correlate import PLACED_MAX, PROBES_MAX
from tests.correlating import EPOCH, Correlating

CHAIN = {"disk": (), "db": ("disk",), "app": ("db",), "page": ("app",)}
DIAMOND = {"net": (), "db": ("net",), "cache": ("net",), "app": ("db", "cache")}


@pytest.mark.parametrize("order", list(permutations(CHAIN)), ids="-".join)
@pytest.mark.parametrize("apart_seconds", [0.0, 2.0, 10.0])
def test_a_chain_that_fails_in_any_order_is_one_incident_of_its_root(
    order: tuple[str, ...], apart_seconds: float
) -> None:
    world = Correlating(CHAIN)
    for name in order:
        world.down(name)
        world.pass_time(apart_seconds)
    world.settle()
    world.check()
    ((_, incident),) = world.open().items()
    assert incident.cause == "disk"
    assert set(incident.members) == set(CHAIN)


@pytest.mark.parametrize("order", list(permutations(DIAMOND)), ids="-".join)
def test_a_diamond_that_fails_in_any_order_is_one_incident(order: tuple[str, ...]) -> None:
    world = Correlating(DIAMOND)
    for name in order:
        world.down(name)
        world.pass_time(4)
    world.settle()
    world.check()
    assert [one.cause for one in world.open().values()] == ["net"]


def test_what_needs_nothing_is_placed_at_once() -> None:
    world = Correlating(CHAIN)
    world.down("disk")
    assert [one.cause for one in world.open().values()] == ["disk"]


def test_what_needs_something_waits_until_that_was_probed() -> None:
    world = Correlating(CHAIN)
    world.down("page")
    assert world.open() == {}
    assert world.probes == ["app", "db", "disk"]
    world.pass_time(2.9)
    assert world.open() == {}
    world.pass_time(0.2)
    assert [one.cause for one in world.open().values()] == ["page"]
    world.check()


def test_what_waits_for_a_need_is_placed_when_that_one_has_settled() -> None:
    world = Correlating(CHAIN)
    world.down("app")
    world.pass_time(2)
    world.down("db")
    world.pass_time(1.5)
    assert world.open() == {}, "the application waits for the database, which has not settled"
    world.pass_time(2)
    assert [one.cause for one in world.open().values()] == ["db"]
    world.check()


def test_what_recovers_before_it_settled_is_no_incident() -> None:
    world = Correlating(CHAIN)
    world.down("page")
    world.pass_time(1)
    world.healthy("page")
    world.settle()
    assert world.incidents == {}
    world.check()


def test_a_need_that_recovers_unplaced_leaves_its_effect_to_itself() -> None:
    world = Correlating(CHAIN)
    world.down("app", "db")
    world.pass_time(1)
    world.healthy("db")
    world.settle()
    assert [one.cause for one in world.open().values()] == ["app"]
    world.check()


def test_a_deeper_cause_takes_over_and_merges_what_it_explains() -> None:
    world = Correlating(DIAMOND)
    world.down("db", "cache")
    world.settle()
    assert sorted(one.cause for one in world.open().values()) == ["cache", "db"]
    world.down("net")
    ((name, incident),) = world.open().items()
    assert incident.cause == "net"
    assert incident.failing == {"db", "cache", "net"}
    assert sum(isinstance(one, Resolved) for one in world.incidents.values()) == 1
    assert name.startswith("db-")
    world.check()


def test_it_is_over_when_all_are_healthy() -> None:
    world = Correlating(CHAIN)
    world.down("disk", "db", "app")
    world.healthy("disk", "db")
    assert len(world.open()) == 1
    world.healthy("app")
    assert world.open() == {}
    assert world.picture.cases == {}
    world.check()


def test_a_service_that_is_retired_while_down_leaves_its_incident() -> None:
    world = Correlating(CHAIN)
    world.down("disk", "db")
    world.retire("disk")
    world.retire("db")
    assert world.open() == {}
    world.check()


def test_a_cause_that_fails_again_is_the_cause_of_the_same_incident() -> None:
    world = Correlating(CHAIN)
    world.down("disk", "db")
    world.healthy("disk")
    world.down("disk")
    ((_, incident),) = world.open().items()
    assert incident.cause == "disk"
    assert incident.failing == {"disk", "db"}
    world.check()


def test_independent_failures_are_incidents_of_their_own() -> None:
    world = Correlating({"a": (), "b": (), "c": ("a",)})
    world.down("a", "b", "c")
    world.settle()
    assert sorted(one.cause for one in world.open().values()) == ["a", "b"]
    world.check()


def test_what_is_not_in_the_graph_is_an_incident_of_its_own() -> None:
    world = Correlating({})
    world.down("stray")
    assert [one.cause for one in world.open().values()] == ["stray"]


def test_only_some_needs_are_probed() -> None:
    needs = tuple(f"n{number}" for number in range(100))
    world = Correlating({**dict.fromkeys(needs, ()), "hub": needs})
    world.down("hub")
    assert len(world.probes) == PROBES_MAX


def seconds_for(count: int, *, root_last: bool) -> float:
    """Let so many services fail because of one; gives how long that took to understand."""
    leaves = [f"s{number}" for number in range(count)]
    world = Correlating({"root": (), **dict.fromkeys(leaves, ("root",))})
    began = time.perf_counter()
    world.down(*leaves, "root") if root_last else world.down("root", *leaves)
    world.settle()
    took_seconds = time.perf_counter() - began
    world.check()
    ((_, incident),) = world.open().items()
    assert len(incident.members) == count + 1
    return took_seconds


@pytest.mark.parametrize("root_last", [True, False])
def test_a_thousand_services_that_fail_because_of_one_are_one_incident_soon(
    *, root_last: bool
) -> None:
    assert seconds_for(1000, root_last=root_last) < 10


def test_what_does_not_fit_into_one_conclusion_is_due_at_once() -> None:
    leaves = [f"s{number}" for number in range(PLACED_MAX * 2)]
    world = Correlating({"root": (), **dict.fromkeys(leaves, ("root",))})
    world.down(*leaves, "root")
    ((_, incident),) = world.open().items()
    assert len(incident.members) == PLACED_MAX
    world.pass_time(0)
    ((_, incident),) = world.open().items()
    assert len(incident.members) == PLACED_MAX * 2 + 1
    assert world.now < EPOCH + timedelta(seconds=2)
