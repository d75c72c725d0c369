"""A policy at work: it reads the log in order, commits what it concludes, then gives its orders."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actors.policies.base import Consider, LeaveOut, Observe, StartPolicy
from actors.runtime.causes import Causes, Unread
from actors.runtime.commands import (
    FINAL,
    Answer,
    NoAnswerError,
    Outcome,
    Request,
    deliver,
)
from actors.runtime.letters import Letter
from events.address import EntityAddress
from events.base import Mark, Origin
from events.ids import new_id
from events.log import Log
from events.reader import Start
from events.surroundings import now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from actors.base import Command
    from actors.policies.base import Policy, PolicyState
    from actors.runtime.entity import Entity
    from events.base import Envelope, Position
    from events.policy import Order
    from events.reader import Message

CHUNK_MAX = 128
OUTBOX_MAX = 1_000
RETRY_SECONDS = 0.5
PARKED_RETRY_SECONDS = 5.0


@dataclass(slots=True)
class PolicyRunner:
    """Feeds one policy entity of a host, and delivers what it orders."""

    policy: Policy[Any]
    entity: Entity
    log: Log
    submit: Callable[[Entity, Letter], None]
    due_again: Callable[[Entity], None]
    read: Position = field(init=False)
    index: int = 0
    work: asyncio.Task[None] | None = None
    _answered: set[int] = field(default_factory=set)
    _queues: dict[str, deque[Order]] = field(default_factory=dict)
    _tasks: dict[asyncio.Task[None], None] = field(default_factory=dict)
    _queued: int = 0
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _causes: Causes = field(init=False)

    def __post_init__(self) -> None:
        """Begin where the policy's own commits say that it is."""
        self._causes = Causes(self.policy, self.entity.address, self.log)
        state = self._state
        self.read = state.position or self.log.position(0)
        self.index = state.index

    @property
    def _state(self) -> PolicyState[Any]:
        return self.entity.state  # type: ignore[no-any-return]  # states are not typed by kind

    async def run(self) -> None:
        """Read and conclude for as long as the host owns the policy."""
        self.dispatch()
        await self._start()
        while True:
            with contextlib.suppress(_ChunkRefusedError):
                await self._follow()
            await asyncio.sleep(RETRY_SECONDS)

    async def _start(self) -> None:
        """A new policy begins at the log's head: what was before teaches it, and orders nothing."""
        while self._state.position is None:
            head = self.log.position(await self.log.head_sequence())
            await self._give(StartPolicy(position=head), self._own_origin())
        self.read = self._state.position

    async def _follow(self) -> None:
        state = self._state
        assert state.position is not None, "the policy has started"
        self.read, self.index = state.position, state.index
        stream = self.log.follow(["sf.>"], Start(max(1, self.read.sequence)))
        async with contextlib.aclosing(stream):
            async for batch in stream:
                await self._take(batch)

    async def _take(self, batch: list[Message]) -> None:
        chunk: list[Envelope | Unread] = []
        for message in batch:
            for cause in self._causes.in_message(message):
                chunk.append(cause)
                if len(chunk) >= CHUNK_MAX:
                    await self._observe(chunk)
                    chunk = []
        if chunk:
            await self._observe(chunk)

    async def _observe(self, chunk: list[Envelope | Unread]) -> None:
        await self._wait_for_room()
        delivery = self._delivery()
        answers = [
            self._give(_command_for(cause, *delivery), self._origin_of(cause)) for cause in chunk
        ]
        for answer in await asyncio.gather(*answers):
            if answer.outcome not in FINAL or answer.outcome is Outcome.PARKED:
                raise _ChunkRefusedError
        self.read, self.index = chunk[-1].position, chunk[-1].index

    async def _wait_for_room(self) -> None:
        while len(self._state.outbox) - len(self._answered) >= OUTBOX_MAX:
            self._room.clear()
            await self._room.wait()

    def consider(self) -> None:
        """Look whether something of the policy is due, unless that is being looked at."""
        if self.entity.ticking:
            return
        self.entity.ticking = True
        delivered, left = self._delivery()
        command = Consider(position=self.read, index=self.index, delivered=delivered, left=left)
        origin = self._own_origin()
        self.submit(
            self.entity,
            Letter(type(command).__name__, {}, origin, self._considered, command=command),
        )

    def _considered(self, given: Answer) -> None:
        self.entity.ticking = False
        if given.outcome is not Outcome.DONE:
            self.due_again(self.entity)

    def _give(self, command: Command, origin: Origin) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def answer(given: Answer) -> None:
            if not future.done():
                future.set_result(given)

        self.submit(self.entity, Letter(type(command).__name__, {}, origin, answer, command))
        return future

    def _origin_of(self, cause: Envelope | Unread) -> Origin:
        return Origin(
            command_id=f"{self.policy.id}.{cause.id}",
            principal=self._principal,
            source=f"/standfast/policy/{self.policy.id}",
            time=cause.origin.time,
            correlation_id=cause.origin.correlation_id,
            causation_id=cause.id,
            on_behalf_of=cause.origin.on_behalf_of,
            traceparent=cause.origin.traceparent,
        )

    def _own_origin(self) -> Origin:
        command_id = new_id()
        return Origin(
            command_id=command_id,
            principal=self._principal,
            source=f"/standfast/policy/{self.policy.id}",
            time=now(),
            correlation_id=command_id,
        )

    @property
    def _principal(self) -> str:
        return f"policy:{self.policy.id}"

    def dispatch(self) -> None:
        """Start to deliver the orders that are not on their way yet."""
        self._answered &= {order.number for order in self._state.outbox}
        for order in self._state.outbox:
            if order.number > self._queued:
                self._queued = order.number
                self._queue(order)

    def _queue(self, order: Order) -> None:
        queue = self._queues.get(order.target)
        if queue is not None:
            queue.append(order)
            return
        self._queues[order.target] = deque([order])
        task = asyncio.create_task(self._deliver_all(order.target))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    async def _deliver_all(self, target: str) -> None:
        """Deliver a target's orders one after the other: its mark only rises."""
        queue = self._queues[target]
        while queue:
            await self._deliver(queue[0])
            self._note_answered(queue.popleft().number)
        del self._queues[target]

    async def _deliver(self, order: Order) -> None:
        request = Request(
            EntityAddress.parse(order.target),
            order.command,
            order.arguments,
            self._origin_of_order(order),
            self.log.identity.generation,
        )
        while True:
            try:
                answer = await deliver(self.log.client, request)
            except NoAnswerError:
                continue
            if answer.outcome is not Outcome.PARKED:
                return
            await asyncio.sleep(PARKED_RETRY_SECONDS)

    def _origin_of_order(self, order: Order) -> Origin:
        return Origin(
            command_id=f"{self.policy.id}.{order.number}",
            principal=self._principal,
            source=f"/standfast/policy/{self.policy.id}",
            time=order.time,
            correlation_id=order.correlation_id,
            causation_id=order.causation_id,
            mark=Mark(self.policy.id, order.number),
        )

    def _note_answered(self, number: int) -> None:
        self._answered.add(number)
        self._room.set()

    def waiting(self, moment: datetime) -> dict[str, int]:
        """Give how many orders of before a moment have no answer yet, by their targets."""
        return Counter(
            order.target
            for order in self._state.outbox
            if order.number not in self._answered and order.time < moment
        )

    def _delivery(self) -> tuple[int, tuple[int, ...]]:
        """Give the highest number that was answered, and the lower ones that were not."""
        highest = max((*self._answered, self._state.delivered))
        waiting = (order.number for order in self._state.outbox)
        left = tuple(one for one in waiting if one <= highest and one not in self._answered)
        return highest, left

    def stop(self) -> None:
        """Read and deliver no more; what is not answered is delivered by the next host."""
        if self.work is not None:
            self.work.cancel()
        for task in self._tasks:
            task.cancel()


class _ChunkRefusedError(Exception):
    """The policy could not commit; it reads again from where it is."""


def _command_for(cause: Envelope | Unread, delivered: int, left: tuple[int, ...]) -> Command:
    if isinstance(cause, Unread):
        return LeaveOut(
            cause_id=cause.id,
            cause_type=cause.type,
            error=cause.error,
            position=cause.position,
            index=cause.index,
            delivered=delivered,
            left=left,
        )
    return Observe.model_construct(envelope=cause, delivered=delivered, left=left)
