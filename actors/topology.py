"""The dependency graph of a platform: what a service needs, and what needs it."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from actors.base import Command, Decider, Decision, Declined, Tick
from events.base import Value
from events.topology import Node, TopologyDeclared, TopologyEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence


class Topology(Value):
    """The graph as it was last declared."""

    services: dict[str, Node] = {}


class DeclareTopology(Command):
    """Replace the graph."""

    services: dict[str, Node]
    origin: str = "configuration"
    configuration_hash: str


def decide(state: Topology, command: Command, now: datetime) -> Decision:
    """Decide what a command means for the graph."""
    del now
    match command:
        case Tick():
            return []
        case DeclareTopology(services=services) if services == state.services:
            return []
        case DeclareTopology(services=services) if cycle := find_cycle(services):
            return Declined(f"services need each other in a circle: {' -> '.join(cycle)}")
        case DeclareTopology() as wish:
            return [
                TopologyDeclared(
                    services=wish.services,
                    origin=wish.origin,
                    configuration_hash=wish.configuration_hash,
                )
            ]
        case _:
            return Declined(f"a topology does not know {type(command).__name__}")


def evolve(state: Topology, event: TopologyEvent) -> Topology:
    """Give the state after an event."""
    del state
    return Topology(services=event.services)


def find_cycle(services: Mapping[str, Node]) -> list[str]:
    """Give one circle of services that need each other, or nothing."""
    try:
        TopologicalSorter(_needs(services)).prepare()
    except CycleError as error:
        return [str(name) for name in reversed(error.args[1])]
    return []


def needs_of(services: Mapping[str, Node], service: str) -> tuple[str, ...]:
    """Give all that a service needs, nearest first."""
    return walk(service, lambda name: services[name].depends_on if name in services else ())


def needed_by(services: Mapping[str, Node]) -> dict[str, tuple[str, ...]]:
    """Give for each service what needs it directly."""
    found: dict[str, list[str]] = {}
    for name, node in services.items():
        for need in node.depends_on:
            found.setdefault(need, []).append(name)
    return {name: tuple(dependents) for name, dependents in found.items()}


def cause_of(services: Mapping[str, Node], service: str, down: Collection[str]) -> str:
    """Give what is to blame: of the service and all it needs, what is down and needs nothing down.

    The nearest one where there are several.
    """
    failed = [need for need in needs_of(services, service) if need in down]
    roots = [need for need in failed if not set(down).intersection(needs_of(services, need))]
    return roots[0] if roots else service


def dependents_of(services: Mapping[str, Node], service: str) -> tuple[str, ...]:
    """Give all that needs a service, in the order in which they may be mended."""
    direct = needed_by(services)
    affected = set(walk(service, lambda name: direct.get(name, ())))
    order = TopologicalSorter(_needs(services)).static_order()
    return tuple(name for name in order if name in affected)


def _needs(services: Mapping[str, Node]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(node.depends_on)) for name, node in sorted(services.items())}


def walk(start: str, nearby: Callable[[str], Sequence[str]]) -> tuple[str, ...]:
    """Give all that is reached from a start, nearest first, without the start itself."""
    seen, queue = {start: None}, deque([start])
    while queue:
        for name in nearby(queue.popleft()):
            if name not in seen:
                seen[name] = None
                queue.append(name)
    return tuple(seen)[1:]


TOPOLOGY: Decider[Topology] = Decider(
    kind="topology",
    initial=Topology(),
    states=TypeAdapter(Topology),
    state_version=1,
    commands=(DeclareTopology,),
    events=(TopologyDeclared,),
    decide=decide,
    evolve=evolve,  # type: ignore[arg-type]  # the host passes only events of this kind
)
