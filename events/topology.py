"""What needs what: the dependencies between services, as they were declared."""

from __future__ import annotations

from events.base import Event


class TopologyDeclared(Event, type="standfast.topology.declared.v1"):
    """The whole dependency graph of a platform: each service and what it needs."""

    depends_on: dict[str, tuple[str, ...]]
    origin: str = "configuration"
    configuration_hash: str


TopologyEvent = TopologyDeclared
