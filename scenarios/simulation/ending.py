"""The end of a run: all is healed and quiet, so nothing may be left over, and all agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import incident
from actors.alert import Acknowledged, Firing
from actors.deciders import KINDS
from actors.runtime.host import Host
from actors.runtime.store import Store
from actors.service import Down, NoData, Watched
from events.placement import BucketRange
from scenarios.simulation.memories import known_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.runtime.entity import Entity
    from scenarios.checker.records import Source
    from scenarios.simulation.cluster import Cluster
    from scenarios.simulation.record import Record


@dataclass(frozen=True, slots=True)
class Ending:
    """Looks at all that is left of a run."""

    cluster: Cluster
    record: Record

    async def look(self) -> None:
        """Tell the checker what hosts know and what the log gives anew; see what is left over."""
        self._live()
        supervisor = self.cluster.lives["supervisor"]
        await supervisor.process.start(self._rebuilt())
        self.record.at_the_end()
        self._left_over()

    def _live(self) -> None:
        for name, life in self.cluster.lives.items():
            host = life.part
            if not isinstance(host, Host):
                continue
            if not host.is_ready:
                self.record.crashed(f"{name} is not ready, though nothing hurts it")
            entities = host.mailroom.entities.values()
            owned = [one for one in entities if host.ownership.owns(one.address)]
            self._tell([one for one in owned if one.head.sequence and not one.stale], "live")

    async def _rebuilt(self) -> None:
        log = await self.cluster.log_of(self.cluster.lives["supervisor"])
        ranges = [BucketRange(kind=kind) for kind in KINDS]
        self._tell((await Store(log).load(ranges, cached=False)).values(), "rebuilt")
        self._tell((await Store(log).load(ranges)).values(), "from checkpoints")

    def _tell(self, entities: Iterable[Entity], source: Source) -> None:
        for entity in entities:
            self.record.known(known_state(entity, source))

    def _left_over(self) -> None:
        """All services are well: no alert fires, no incident is open, nothing is parked."""
        folding = self.record.checker.folding
        found = [f"{entity} is parked" for entity in sorted(folding.parked)]
        for entity, state in folding.states.items():
            match state:
                case Firing() | Acknowledged():
                    found.append(f"{entity} fires, though all is well")
                case incident.Open():
                    found.append(f"{entity} is open, though all is well")
                case Watched(health=Down() | NoData()):
                    found.append(f"{entity} is not healthy in the log, though it is in the world")
                case _:
                    pass
        for one in found:
            self.record.crashed(one)
