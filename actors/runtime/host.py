"""A host: it reads the buckets it is given, then is the single writer of all entities in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from actors.deciders import UnknownKindError, decider_for
from actors.host import RecordHost
from actors.placement import PLACEMENT, Placement
from actors.policies import POLICIES
from actors.runtime.checkpointing import write_checkpoints
from actors.runtime.commands import (
    OTHER_GENERATION,
    Answer,
    BadRequestError,
    Outcome,
    decode_request,
    respond,
)
from actors.runtime.crew import Crew
from actors.runtime.description import describe_host
from actors.runtime.drain import Drainer
from actors.runtime.handing import Handing
from actors.runtime.letters import Letter
from actors.runtime.mailroom import Mailroom
from actors.runtime.ownership import PLACEMENT_ADDRESS, Ownership, gained, ownership_of
from actors.runtime.policy_runner import PolicyRunner
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
from events.subjects import control_subject, state_subject
from events.surroundings import monotonic_seconds, now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from actors.runtime.entity import Entity
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
    look_seconds: float = LOOK_SECONDS


@dataclass(slots=True)
class Host:
    """Hosts the entities that the placement gives it, for as long as `run` runs."""

    log: Log
    settings: HostSettings
    clock: Callable[[], datetime] = now
    ownership: Ownership = field(default_factory=Ownership)
    is_ready: bool = False
    crew: Crew = field(default_factory=Crew)
    store: Store = field(init=False)
    mailroom: Mailroom = field(init=False)
    _timers: Timers = field(init=False)
    record: SoloWriter | None = None
    _runners: dict[EntityAddress, PolicyRunner] = field(default_factory=dict)
    _subscriptions: list[Subscription] = field(default_factory=list)
    _description: Subscription | None = None
    _once_isolated: set[EntityAddress] = field(default_factory=set)
    _changes: int = 0
    _watching: asyncio.Task[None] | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _taking_back: TakingBack = field(init=False)

    def __post_init__(self) -> None:
        """Wire the parts; nothing runs yet."""
        self.store, self._taking_back = Store(self.log), TakingBack(self)
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

    def _changed(self, entity: Entity) -> None:
        self.mailroom.changed(entity)

    async def run(self) -> None:
        """Serve until cancelled. Any error in the host itself ends it; a new one recovers."""
        name, author = self.settings.name, self.settings.author
        self.record = await SoloWriter.open(
            self.log, author, f"host:{name}", EntityAddress("host", name)
        )
        started = HostStarted(pid=os.getpid(), node=self.settings.node, build=author.build)
        await self._write_down(started)
        describe = control_subject(name, "describe")
        self._description = await self.log.client.subscribe(describe, cb=self._describe)
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
        for runner in self._runners.values():
            runner.stop()
        self.mailroom.handing.stop()
        await self.crew.stop()
        if self._description is not None:
            self._subscriptions.append(self._description)
        await self._unsubscribe()

    async def _write_down(self, fact: HostEvent) -> None:
        assert self.record is not None, "the host runs"
        await self.record.give(RecordHost(fact=fact))

    def _clock_stepped(self, offset_seconds: float) -> None:
        self.crew.spawn(self._write_down(HostClockStepped(offset_seconds=offset_seconds)))

    async def _describe(self, message: Msg) -> None:
        await message.respond(describe_host(self, message.data))

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
        """Take what is given, leave what is given to others, and serve when all is read."""
        async with self._turn:
            if ownership != self.ownership:
                await self._own(ownership)

    async def _own(self, ownership: Ownership) -> None:
        began, before = monotonic_seconds(), self.ownership
        self.is_ready, self.ownership = False, ownership
        await self._unsubscribe()
        self._leave_what_is_not_owned()
        sequence = await self.log.head_sequence()
        await self._load(before)
        await self._subscribe()
        self._wake_all()
        if self._watching is not None:
            self._watching.cancel()
        self._watching = self.crew.spawn(watch(self, sequence))
        self.is_ready = True
        await self._write_down(
            HostReady(
                epoch=ownership.epoch,
                entities=len(self.mailroom.entities),
                took_seconds=monotonic_seconds() - began,
            )
        )

    async def _load(self, before: Ownership) -> None:
        entities = self.mailroom.entities
        loaded = await self.store.load(gained(before, self.ownership))
        for address, entity in loaded.items():
            if self.ownership.owns(address):
                entities.setdefault(address, entity)
        for address in self._once_isolated:  # no checkpoint of a bucket holds these
            if self.ownership.owns(address) and not before.owns(address):
                entities[address] = await self.store.load_entity(address)

    def _leave_what_is_not_owned(self) -> None:
        for address in [one for one in self.mailroom.entities if not self.ownership.owns(one)]:
            self.mailroom.forget(address)
            if (runner := self._runners.pop(address, None)) is not None:
                runner.stop()

    def _wake_all(self) -> None:
        """After recovery: arm every timer, hand over every open intent, start the policies."""
        for entity in list(self.mailroom.entities.values()):
            self.mailroom.react(entity)
        for policy in POLICIES:
            address = EntityAddress("policy", policy.id)
            if self.ownership.owns(address) and address not in self._runners:
                entity = self.mailroom.entity(address)
                runner = PolicyRunner(
                    policy, entity, self.log, self.mailroom.submit, self.mailroom.due_again
                )
                self._runners[address] = runner
                runner.work = self.crew.spawn(runner.run())

    def _give_up_bucket(self, entity: Entity) -> None:
        kind, bucket = entity.address.kind, entity.address.bucket
        self.ownership = self.ownership.without(kind, bucket)
        self._leave_what_is_not_owned()
        self.crew.spawn(self._write_down(HostBucketsGivenUp(kind=kind, bucket=bucket)))
        self._taking_back.soon()

    async def _subscribe(self) -> None:
        for subject in self.ownership.command_filters():
            subscription = await self.log.client.subscribe(subject, cb=self._receive)
            self._subscriptions.append(subscription)
        await self.log.client.flush()

    async def _unsubscribe(self) -> None:
        for subscription in self._subscriptions:
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()
        self._subscriptions.clear()

    async def _receive(self, message: Msg) -> None:
        """Take a command; what is not owned is left to its owner to answer."""
        try:
            request = decode_request(message.data)
            decider_for(request.entity)
            if not self.ownership.owns(request.entity):
                return
            if request.generation not in (0, self.log.identity.generation):
                await respond(message, OTHER_GENERATION)
                return
            entity = self.mailroom.entity(request.entity)
        except (BadRequestError, UnknownKindError) as error:
            await respond(message, Answer(Outcome.INVALID, str(error)))
            return

        def answer(given: Answer) -> None:
            self.crew.spawn(respond(message, given))

        letter = Letter(request.command, request.arguments, request.origin, answer)
        self.mailroom.submit(entity, letter)

    def due(self, address: EntityAddress) -> None:
        """See to what is due of an entity's own; one that is stale is read anew."""
        runner = self._runners.get(address)
        if runner is not None:
            runner.consider()
        else:
            self.mailroom.tick(address)

    def _after_change(self, entity: Entity) -> None:
        runner = self._runners.get(entity.address)
        if runner is not None:
            runner.dispatch()
        self._changes += 1
        if self._changes >= self.settings.checkpoint_commits:
            self._changes = 0
            self.crew.spawn(self.write_checkpoints())

    async def write_checkpoints(self) -> None:
        """Write a checkpoint of every bucket; a failure costs only time at the next recovery."""
        with contextlib.suppress(NatsError, TimeoutError, OSError, ValueError):
            await write_checkpoints(self)
