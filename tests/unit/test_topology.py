"""The graph of what needs what has no circles, and is walked nearest first."""

from __future__ import annotations

from actors.topology import (
    TOPOLOGY,
    DeclareTopology,
    dependents_of,
    find_cycle,
    needed_by,
    needs_of,
)
from events.topology import Node
from tests.deciding import Story


def graph(**needs: str) -> dict[str, Node]:
    return {name: Node(depends_on=tuple(text.split())) for name, text in needs.items()}


SHOP = graph(disk="", db="disk", cache="disk", app="db cache", page="app")


def declare(services: dict[str, Node]) -> DeclareTopology:
    return DeclareTopology(services=services, configuration_hash="hash")


def test_only_another_graph_is_a_fact() -> None:
    story = Story(TOPOLOGY)
    assert story.names(declare(SHOP)) == ["TopologyDeclared"]
    assert story.give(declare(SHOP)) == []
    assert story.names(declare(graph(disk=""))) == ["TopologyDeclared"]
    assert story.state.services == graph(disk="")


def test_a_circle_is_declined_and_named() -> None:
    reason = Story(TOPOLOGY).declines(declare(graph(a="b", b="c", c="a", d="")))
    assert "in a circle: " in reason
    circle = reason.partition(": ")[2].split(" -> ")
    assert set(circle) == {"a", "b", "c"}
    assert find_cycle(graph(a="a")) == ["a", "a"]
    assert find_cycle(SHOP) == []


def test_needs_are_walked_nearest_first() -> None:
    assert needs_of(SHOP, "page") == ("app", "db", "cache", "disk")
    assert needs_of(SHOP, "disk") == ()
    assert needs_of(SHOP, "nobody") == ()
    assert needs_of(graph(a="ghost"), "a") == ("ghost",)


def test_dependents_are_in_the_order_in_which_they_may_be_mended() -> None:
    order = dependents_of(SHOP, "disk")
    assert set(order) == {"db", "cache", "app", "page"}
    assert order.index("app") > max(order.index("db"), order.index("cache"))
    assert order[-1] == "page"
    assert dependents_of(SHOP, "page") == ()
    assert needed_by(SHOP)["disk"] == ("db", "cache")


def test_a_circle_does_not_stop_a_walk() -> None:
    assert needs_of(graph(a="b", b="a"), "a") == ("b",)
