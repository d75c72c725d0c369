"""The states that the log leads to, folded as it comes, without anything of the runtime."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actors.deciders import UnknownKindError, decider_for
from events.entity import CommandDeclined, EntityParked, EntityReleased

if TYPE_CHECKING:
    from datetime import datetime

    from events.address import EntityAddress
    from scenarios.checker.invariant import Landed

_OF_ANY_ENTITY = (CommandDeclined, EntityParked, EntityReleased)


@dataclass(slots=True)
class Folding:
    """Each entity's state, and which of them are parked or can't be folded."""

    states: dict[EntityAddress, Any] = field(default_factory=dict)
    parked: set[EntityAddress] = field(default_factory=set)
    unreadable: dict[EntityAddress, str] = field(default_factory=dict)

    def take(self, landed: Landed) -> None:
        """Fold a commit."""
        entity = landed.stored.commit.entity
        for envelope in landed.envelopes:
            if isinstance(envelope.event, EntityParked):
                self.parked.add(entity)
            elif isinstance(envelope.event, EntityReleased):
                self.parked.discard(entity)
        if len(landed.envelopes) != len(landed.stored.commit.facts):
            self.unreadable.setdefault(entity, f"commit {landed.sequence} can't be read")
        if entity not in self.unreadable:
            self._fold(entity, landed)

    def _fold(self, entity: EntityAddress, landed: Landed) -> None:
        try:
            decider = decider_for(entity)
            state = self.states.get(entity, decider.initial)
            for envelope in landed.envelopes:
                if not isinstance(envelope.event, _OF_ANY_ENTITY):
                    state = decider.evolve(state, envelope.event)
        except UnknownKindError as error:
            self.unreadable[entity] = str(error)
        except Exception as error:  # noqa: BLE001  (whatever it is, a host would park the entity)
            self.unreadable[entity] = f"commit {landed.sequence}: {type(error).__name__}: {error}"
        else:
            self.states[entity] = state

    def due(self, entity: EntityAddress) -> datetime | None:
        """Give when an entity is next due; one that is parked is not."""
        if entity in self.parked or entity in self.unreadable or entity not in self.states:
            return None
        return decider_for(entity).due(self.states[entity])
