"""The mailroom of a host: letters in, one drain for each entity, and what follows from commits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from actors.base import Tick
from actors.runtime.commands import Answer, Outcome
from actors.runtime.drain import BucketLostError, Drainer
from actors.runtime.entity import Entity
from actors.runtime.letters import PARK, RELEASE, Letter, ParkEntity, ReleaseEntity
from events.base import Origin
from events.ids import new_id
from events.surroundings import monotonic_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from actors.base import Command
    from actors.runtime.crew import Crew
    from actors.runtime.handing import Handing
    from actors.runtime.store import Entities
    from actors.runtime.timers import Timers
    from events.address import EntityAddress
    from events.entity import EntityParked

MAILBOX_MAX = 1_000
SETTLE_SECONDS = 0.002
TICK_AGAIN = timedelta(seconds=1)


@dataclass(slots=True)
class Mailroom:
    """Gives each entity its letters one commit at a time.

    `after_change(entity)` tells the host that a state changed, by a commit or by reading anew;
    `lost(entity)` that a bucket was lost.
    """

    name: str
    crew: Crew
    drainer: Drainer
    timers: Timers
    handing: Handing
    clock: Callable[[], datetime]
    after_change: Callable[[Entity], None]
    lost: Callable[[Entity], None]
    monotonic: Callable[[], float] = monotonic_seconds
    entities: Entities = field(default_factory=dict)

    def passivate(self, idle_seconds: float) -> int:
        """Pack away the states of those that nothing was asked of for so long; gives how many."""
        before = self.monotonic() - idle_seconds
        idle = [
            entity
            for entity in self.entities.values()
            if entity.used <= before and _may_sleep(entity)
        ]
        for entity in idle:
            entity.passivate()
        return len(idle)

    async def keep_passivating(self, idle_seconds: float) -> None:
        """Pack away who is idle, now and then, for as long as the host lives."""
        while True:
            await asyncio.sleep(idle_seconds / 10)
            self.passivate(idle_seconds)

    def entity(self, address: EntityAddress) -> Entity:
        """Give an entity, new where nothing happened to it yet. Raises `UnknownKindError`."""
        entity = self.entities.get(address)
        if entity is None:
            entity = self.entities[address] = Entity.new(address)
        return entity

    def submit(self, entity: Entity, letter: Letter) -> None:
        """Put a letter into an entity's mailbox; one drain at a time empties it."""
        if len(entity.mailbox) >= MAILBOX_MAX:
            letter.answer(Answer(Outcome.BUSY, f"{MAILBOX_MAX} commands wait already"))
            return
        entity.mailbox.append(letter)
        entity.used = self.monotonic()
        if not entity.draining:
            entity.draining = True
            self.crew.spawn(self._drain(entity))

    async def _drain(self, entity: Entity) -> None:
        try:
            await self.drainer.drain(entity)
        except BucketLostError:
            if self._hosts(entity):
                self.lost(entity)
        finally:
            entity.draining = False
        if not self._hosts(entity):
            return
        entity.stale = entity.stale or entity.seen > entity.head.sequence
        if entity.stale:  # what landed in spite of all must be read, though nobody asks
            self.timers.arm(entity.address, self.clock() + TICK_AGAIN)
        elif not entity.head.sequence and entity.address.kind != "policy":
            del self.entities[entity.address]  # nothing ever happened to it

    def _hosts(self, entity: Entity) -> bool:
        return self.entities.get(entity.address) is entity

    def changed(self, entity: Entity) -> None:
        """Do what follows from a state, unless the entity is hosted elsewhere by now."""
        if self._hosts(entity):
            self.react(entity)
            self.after_change(entity)

    def react(self, entity: Entity) -> None:
        """Arm the entity's timer and hand over its intents; what is parked does neither."""
        if entity.quarantine is not None:
            self.timers.forget(entity.address)
            self.handing.forget(entity.address)
            self._settle_quarantine(entity)
            return
        self.timers.arm(entity.address, entity.decider.due(entity.state))
        self.handing.offer(entity)

    def _settle_quarantine(self, entity: Entity) -> None:
        """What can't be read is parked for all to see, once, and until a build can read it."""
        if entity.unreadable is not None and entity.parked is None:
            self.submit(entity, _own_letter(PARK, self._origin(), ParkEntity()))
        elif entity.unreadable is None and entity.parked is not None and _is_read(entity.parked):
            reason = f"this build reads commit {entity.parked.sequence}"
            self.submit(entity, _own_letter(RELEASE, self._origin(), ReleaseEntity(reason=reason)))

    def tick(self, address: EntityAddress) -> None:
        """Tell an entity that something of its own is due, unless it is being told already.

        Reading it anew arms what is due in spite of that: a log that is full would be asked, and
        would refuse, as fast as it can.
        """
        entity = self.entities.get(address)
        if entity is None or entity.ticking:
            return
        entity.ticking = True

        def answer(given: Answer) -> None:
            entity.ticking = False
            if given.outcome is not Outcome.DONE:
                self.due_again(entity)

        self.submit(entity, Letter("Tick", {}, self._origin(), answer, Tick()))

    def due_again(self, entity: Entity) -> None:
        """See that what was due and could not be stored, or changed nothing, is due again."""
        due = entity.decider.due(entity.state)
        if due is not None and entity.quarantine is None:
            self.timers.arm(entity.address, max(due, self.clock() + TICK_AGAIN))

    def forget(self, address: EntityAddress) -> None:
        """Drop an entity that is hosted elsewhere now."""
        self.timers.forget(address)
        self.handing.forget(address)
        entity = self.entities.pop(address, None)
        if entity is not None:
            entity.left = True
            entity.refuse("another host owns it")

    async def settled(self, left: Sequence[Entity]) -> None:
        """Wait until nothing of entities that were left is under way any more."""
        for entity in left:
            while entity.draining:  # noqa: ASYNC110  (an event for each entity would cost memory)
                await asyncio.sleep(SETTLE_SECONDS)

    def _origin(self) -> Origin:
        command_id = new_id()
        return Origin(
            command_id=command_id,
            principal=f"host:{self.name}",
            source=f"/standfast/host/{self.name}",
            time=self.clock(),
            correlation_id=command_id,
        )


def _may_sleep(entity: Entity) -> bool:
    is_busy = entity.draining or entity.mailbox or entity.intents or entity.stale
    return not (is_busy or entity.is_asleep or entity.quarantine)


def _is_read(parked: EntityParked) -> bool:
    """Say whether an entity was parked over bytes, which another build has read by now."""
    return parked.where == "decode"


def _own_letter(name: str, origin: Origin, command: Command) -> Letter:
    return Letter(name, command.model_dump(), origin, lambda _answer: None, command)
