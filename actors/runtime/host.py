"""A host: it reads the buckets it is given, then is the single writer of all entities in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from actors.host import RecordHost
from actors.placement import PLACEMENT, Placement
from actors.runtime.checkpointing import write_checkpoints
from actors.runtime.control import Control
from actors.runtime.crew import Crew
from actors.runtime.door import Door
from actors.runtime.drain import Drainer
from actors.runtime.handing import Handing
from actors.runtime.mailroom import Mailroom
from actors.runtime.moving import Rehearsals
from actors.runtime.ownership import PLACEMENT_ADDRESS, Ownership, gained, ownership_of
from actors.runtime.runners import Runners
from actors.runtime.solo import SoloWriter
from actors.runtime.store import Store
from actors.runtime.taking_back import TakingBack
from actors.runtime.timers import LOOK_SECONDS, Timers
from actors.runtime.watch import watch
from events.address import EntityAddress
from events.host import (
    HostBucketsGivenUp,
    HostClockStepped,
    HostEvent,
    HostReady,
    HostStarted,
)
from events.placement import BucketsPlaced
from events.reader import Start
from events.subjects import state_subject
from events.surroundings import monotonic_seconds, now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from actors.runtime.entity import Entity
    from actors.runtime.moving import Share
    from events.commit import Author
    from events.log import Log
    from events.reader import Message

__all__ = ["PLACEMENT_ADDRESS", "Host", "HostSettings"]

CHECKPOINT_COMMITS = 2_000
PASSIVATE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What a host is told when it is made."""

    name: str
    author: Author
    node: str = ""
    checkpoint_commits: int = CHECKPOINT_COMMITS
    passivate_seconds: float = PASSIVATE_SECONDS
    pid: int = field(default_factory=os.getpid)
    look_seconds: float = LOOK_SECONDS


@dataclass(slots=True)
class Host:
    """Hosts the entities that the placement gives it, for as long as `run` runs.

    `settled()` is called whenever it has read all that it owns.
    """

    log: Log
    settings: HostSettings
    clock: Callable[[], datetime] = now
    settled: Callable[[], None] = lambda: None
    ownership: Ownership = field(default_factory=Ownership)
    is_ready: bool = False
    crew: Crew = field(default_factory=Crew)
    store: Store = field(init=False)
    mailroom: Mailroom = field(init=False)
    _timers: Timers = field(init=False)
    record: SoloWriter | None = None
    runners: Runners = field(init=False)
    rehearsals: Rehearsals = field(init=False)
    door: Door = field(init=False)
    _control: Control = field(init=False)
    _once_isolated: set[EntityAddress] = field(default_factory=set)
    _changes: int = 0
    _watching: asyncio.Task[None] | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _taking_back: TakingBack = field(init=False)

    def __post_init__(self) -> None:
        """Wire the parts; nothing runs yet."""
        self.store, self._taking_back = Store(self.log), TakingBack(self)
        self.rehearsals = Rehearsals(self.store)
        self.door, self._control = Door(self), Control(self)
        look, author = self.settings.look_seconds, self.settings.author
        self._timers = Timers(self.clock, monotonic_seconds, self.due, self._clock_stepped, look)
        drainer = Drainer(self.log, self.store, author, self.clock, self._changed)
        self.mailroom = Mailroom(
            self.settings.name,
            self.crew,
            drainer,
            self._timers,
            Handing(self.log.client, self.log.identity),
            self.clock,
            after_change=self._after_change,
            lost=self._give_up_bucket,
        )
        self.runners = Runners(self.log, self.mailroom, self.crew)

    def _changed(self, entity: Entity) -> None:
        self.mailroom.changed(entity)

    async def run(self) -> None:
        """Serve until cancelled. Any error in the host itself ends it; a new one recovers."""
        name, author = self.settings.name, self.settings.author
        self.record = await SoloWriter.open(
            self.log, author, f"host:{name}", EntityAddress("host", name)
        )
        started = HostStarted(pid=self.settings.pid, node=self.settings.node, build=author.build)
        await self._write_down(started)
        await self._control.open()
        self.crew.spawn(self._timers.run())
        self.crew.spawn(self._follow_placement())
        self.crew.spawn(self.mailroom.keep_passivating(self.settings.passivate_seconds))
        try:
            await self.crew.wait()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Stop serving; what is in mailboxes is answered by the next host."""
        self.is_ready = False
        self.runners.stop_all()
        self.mailroom.handing.stop()
        await self.crew.stop()
        await self._control.close()
        await self.door.close()

    async def _write_down(self, fact: HostEvent) -> None:
        assert self.record is not None, "the host runs"
        await self.record.give(RecordHost(fact=fact))

    def _clock_stepped(self, offset_seconds: float) -> None:
        self.crew.spawn(self._write_down(HostClockStepped(offset_seconds=offset_seconds)))

    async def _follow_placement(self) -> None:
        placement = Placement()
        stream = self.log.follow([state_subject(PLACEMENT_ADDRESS)], Start())
        async with contextlib.aclosing(stream):
            async for batch in stream:
                for message in batch:
                    placement = self._placed(placement, message)
                if batch[-1].pending == 0:
                    await self._taking_back.own(ownership_of(placement, self.settings.name))

    def _placed(self, placement: Placement, message: Message) -> Placement:
        """Give the placement after a message; one that can't be read leaves all where it is."""
        with contextlib.suppress(ValueError):
            for envelope in self.log.stored(message).envelopes():
                if isinstance(envelope.event, BucketsPlaced):
                    placement = PLACEMENT.evolve(placement, envelope.event)
        self._once_isolated.update(map(EntityAddress.parse, placement.isolated))
        return placement

    async def own(self, ownership: Ownership) -> None:
        """Take what is given, leave what is given to others; what stays is served all the time."""
        async with self._turn:
            if self.is_ready and self.ownership.is_same_share_as(ownership):
                self.ownership = ownership
            elif ownership != self.ownership:
                await self._own(ownership)

    async def _own(self, ownership: Ownership) -> None:
        began = monotonic_seconds()
        kept = self.ownership.common_with(ownership)
        self.is_ready = False
        await self._leave_all_but(kept)
        sequence = await self.log.head_sequence()
        loaded = await self._load(kept, ownership)
        for part in gained(self.ownership, kept):  # another writer took it meanwhile
            ownership = ownership.without(part.kind, part.first, part.last)
        self.ownership = ownership
        fresh = [self._host(one) for one in loaded if ownership.owns(one.address)]
        await self.door.hear_only(ownership.command_filters())
        self.wake(fresh)
        if self._watching is not None:
            self._watching.cancel()
        self._watching = self.crew.spawn(watch(self, sequence))
        self.is_ready = True
        self.settled()
        await self._write_down(
            HostReady(
                epoch=ownership.epoch,
                entities=len(self.mailroom.entities),
                took_seconds=monotonic_seconds() - began,
            )
        )

    async def hand_over(self, share: Share) -> None:
        """Leave a share before the placement says so, when all that is under way is stored.

        What the placement still gives to this host after a while is taken back.
        """
        async with self._turn:
            left = self.ownership.without_isolated(share.isolated)
            for part in share.ranges:
                left = left.without(part.kind, part.first, part.last)
            await self._leave_all_but(left)
        self._taking_back.soon()

    async def _leave_all_but(self, kept: Ownership) -> None:
        self.ownership = kept
        leaving = self._leave_what_is_not_owned()
        await self.door.hear_only(kept.command_filters())
        await self.mailroom.settled(leaving)

    async def _load(self, kept: Ownership, ownership: Ownership) -> list[Entity]:
        ranges = gained(kept, ownership)
        loaded = await self.store.load(ranges, known=self.rehearsals.take())
        for address in self._once_isolated:  # no checkpoint of a bucket holds these
            if ownership.owns(address) and not kept.owns(address):
                loaded[address] = await self.store.load_entity(address)
        return list(loaded.values())

    def _host(self, entity: Entity) -> Entity:
        return self.mailroom.entities.setdefault(entity.address, entity)

    def _leave_what_is_not_owned(self) -> list[Entity]:
        entities = list(self.mailroom.entities.values())
        leaving = [one for one in entities if not self.ownership.owns(one.address)]
        for entity in leaving:
            self.mailroom.forget(entity.address)
            self.runners.stop(entity.address)
        return leaving

    def wake(self, entities: Sequence[Entity]) -> None:
        """Arm the timers of what was read, hand over its open intents, start the policies."""
        for entity in entities:
            self.mailroom.react(entity)
        self.runners.start(self.ownership)

    def _give_up_bucket(self, entity: Entity) -> None:
        kind, bucket = entity.address.kind, entity.address.bucket
        self.ownership = self.ownership.without(kind, bucket)
        self._leave_what_is_not_owned()
        self.crew.spawn(self._write_down(HostBucketsGivenUp(kind=kind, bucket=bucket)))
        self._taking_back.soon()

    def due(self, address: EntityAddress) -> None:
        """See to what is due of an entity's own; one that is stale is read anew."""
        if (runner := self.runners.get(address)) is not None:
            runner.consider()
        else:
            self.mailroom.tick(address)

    def _after_change(self, entity: Entity) -> None:
        if (runner := self.runners.get(entity.address)) is not None:
            runner.dispatch()
        self._changes += 1
        if self._changes >= self.settings.checkpoint_commits:
            self._changes = 0
            self.crew.spawn(self.write_checkpoints())

    async def write_checkpoints(self) -> None:
        """Write a checkpoint of every bucket; a failure costs only time at the next recovery."""
        with contextlib.suppress(NatsError, TimeoutError, OSError, ValueError):
            await write_checkpoints(self)
