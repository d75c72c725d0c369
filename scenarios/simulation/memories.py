"""What hosts have in memory, held against the log while the run goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actors.runtime.host import Host
from actors.runtime.known_states import in_memory
from scenarios.checker.records import KnownState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.runtime.entity import Entity
    from events.address import EntityAddress
    from events.commit import Commit
    from scenarios.checker.records import Source
    from scenarios.simulation.cluster import Cluster, Life
    from scenarios.simulation.record import Record


@dataclass(slots=True)
class Memories:
    """Compares what changed since it was compared last: at a calm moment, and before a kill."""

    cluster: Cluster
    record: Record
    _changed: dict[EntityAddress, None] = field(default_factory=dict)

    def committed(self, commit: Commit) -> None:
        """Note that an entity changed."""
        self._changed[commit.entity] = None

    def look(self) -> None:
        """Compare what hosts know, when nothing was hurt for a while: all must know the newest."""
        for life in self.cluster.lives.values():
            if isinstance(life.part, Host) and life.part.is_ready:
                for entity in self._changed_in(life.part):
                    self._compare(entity)
                    del self._changed[entity.address]

    def dies(self, life: Life) -> None:
        """Compare what a host knows before it is killed, as far as it knows the newest."""
        if isinstance(life.part, Host):
            for entity in self._changed_in(life.part):
                if entity.sequence == self.record.newest[entity.address]:
                    self._compare(entity)

    def _changed_in(self, host: Host) -> Iterator[Entity]:
        """Give what a host owns of that which changed, unless it is at work on it."""
        for address in list(self._changed):
            entity = host.mailroom.entities.get(address)
            if entity is not None and host.ownership.owns(address) and _is_at_rest(entity):
                yield entity

    def _compare(self, entity: Entity) -> None:
        """Have the checker judge what is not the same at first sight."""
        is_newest = entity.sequence == self.record.newest[entity.address]
        folded = self.record.checker.folding.states.get(entity.address, entity.decider.initial)
        if not is_newest or _state_of(entity) != folded:
            self.record.seen(known_state(entity, "live"))
        self.record.counts["memories compared"] += 1


def known_state(entity: Entity, source: Source) -> KnownState:
    """Give what is known of an entity, as the checker takes it."""
    one = in_memory(entity)
    return KnownState(one.entity, one.sequence, one.digest.hex(), one.state, one.marks, source)


def _is_at_rest(entity: Entity) -> bool:
    is_busy = entity.draining or entity.stale or entity.mailbox
    return not is_busy and entity.seen <= entity.sequence


def _state_of(entity: Entity) -> Any:  # noqa: ANN401  (of its kind's type)
    """Give its state without waking it."""
    if entity.is_asleep:
        return entity.decider.states.validate_json(entity.packed_state())
    return entity.state
