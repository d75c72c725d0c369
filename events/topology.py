"""What needs what: the dependencies between services, as they were declared."""

from __future__ import annotations

from pydantic import Field

from events.base import Event, Value
from events.service import RecoveryAction


class Node(Value):
    """A service in the graph: what it needs, how much it matters, how it may be mended."""

    depends_on: tuple[str, ...] = ()
    critical: bool = True
    recovery: RecoveryAction | None = None


class TopologyDeclared(Event, type="standfast.topology.declared.v1"):
    """The whole dependency graph of a platform."""

    services: dict[str, Node] = Field(description="each service by its id")
    origin: str = "configuration"
    configuration_hash: str


TopologyEvent = TopologyDeclared
