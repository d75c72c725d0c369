"""A policy turns facts of some kinds into orders to others: each cause is handled exactly once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ConfigDict, SkipValidation, TypeAdapter

from actors.base import Command, Decider, Decision, Declined
from events.base import Envelope, Event, Position, Value
from events.policy import CauseQuarantined, Order, PolicyAdvanced

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.address import EntityAddress

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Wish:
    """A command for another entity, and the fact that is its cause."""

    target: EntityAddress
    command: Command
    causation_id: str | None
    correlation_id: str
    time: datetime


@dataclass(slots=True)
class Conclusion:
    """What a policy makes of a fact: what it notes for itself, and what it wants done."""

    notes: list[Event] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Say whether there is anything to commit."""
        return bool(self.notes or self.wishes)


@dataclass(frozen=True, slots=True)
class Policy(Generic[S]):
    """All that a host must know about a policy.

    `id` is stable for ever: positions and marks are kept under it; `title` may change.
    `causes` are the event types it reads, of whatever kind. `observe(state, envelope, now)` and
    `tick(state, now)` conclude; `evolve(state, note)` is total over its own notes.
    """

    id: str
    title: str
    causes: tuple[type[Event], ...]
    notes: tuple[type[Event], ...]
    initial: S
    states: type[PolicyState[S]]
    observe: Callable[[S, Envelope, datetime], Conclusion]
    evolve: Callable[[S, Any], S]
    tick: Callable[[S, datetime], Conclusion] = lambda _state, _now: Conclusion()
    due: Callable[[S], datetime | None] = lambda _state: None


class PolicyState(Value, Generic[S]):
    """Where a policy is, what it ordered that is not answered yet, and what it knows."""

    position: Position | None = None
    index: int = 0
    last_number: int = 0
    delivered: int = 0
    silent_until: int = 0
    outbox: tuple[Order, ...] = ()
    knows: S


class Observe(Command):
    """Handle one fact of the log; only the policy's own host gives this command."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    envelope: SkipValidation[Envelope]
    delivered: int
    left: tuple[int, ...] = ()


class LeaveOut(Command):
    """Write down that a fact can't be read here, and go on; only the policy's own host gives it."""

    cause_id: str
    cause_type: str
    error: str
    position: Position
    index: int
    delivered: int
    left: tuple[int, ...] = ()


class Consider(Command):
    """Look whether something is due, having read the log up to a position."""

    position: Position
    index: int
    delivered: int
    left: tuple[int, ...] = ()


class StartPolicy(Command):
    """Begin: learn from what was before the position, and order nothing because of it."""

    position: Position


def decider_of(policy: Policy[S]) -> Decider[PolicyState[S]]:
    """Give the decider by which a host keeps a policy, as it keeps any entity."""
    return Decider(
        kind="policy",
        initial=policy.states(knows=policy.initial),
        states=TypeAdapter(policy.states),
        state_version=1,
        commands=(),
        events=(PolicyAdvanced, CauseQuarantined, *policy.notes),
        decide=partial(_decide, policy),
        evolve=partial(_evolve, policy),
        due=lambda state: policy.due(state.knows),
    )


def _decide(policy: Policy[S], state: PolicyState[S], command: Command, now: datetime) -> Decision:
    match command:
        case StartPolicy(position=position):
            return [] if state.position else [_started(position)]
        case Observe(envelope=envelope) if _has_handled(state, envelope.position, envelope.index):
            return []
        case LeaveOut(position=position, index=index) if _has_handled(state, position, index):
            return []
        case LeaveOut(position=position, index=index):
            return _advance(state, _left_out(command), (position, index), command)
        case Observe(envelope=envelope):
            conclusion = _observed(policy, state.knows, envelope, now)
            read = (envelope.position, envelope.index)
            return _advance(state, conclusion, read, command)
        case Consider(position=position, index=index):
            conclusion = policy.tick(state.knows, now)
            read = _furthest(state, position, index)
            return _advance(state, conclusion, read, command)
        case _:
            return Declined(f"a policy does not know {type(command).__name__}")


def _evolve(policy: Policy[S], state: PolicyState[S], event: Event) -> PolicyState[S]:
    match event:
        case PolicyAdvanced():
            return _advanced(state, event)
        case CauseQuarantined():
            return state
        case _:
            return state.model_copy(update={"knows": policy.evolve(state.knows, event)})


def _observed(policy: Policy[S], knows: S, envelope: Envelope, now: datetime) -> Conclusion:
    """Conclude, and prove that the notes can be evolved; an error quarantines this one event."""
    try:
        conclusion = policy.observe(knows, envelope, now)
        for note in conclusion.notes:
            knows = policy.evolve(knows, note)
    except Exception as error:  # noqa: BLE001  (whatever it is, later events must be handled)
        quarantined = CauseQuarantined(
            cause_id=envelope.id,
            cause_type=envelope.event.type,
            error=f"{type(error).__name__}: {error}"[:500],
        )
        return Conclusion(notes=[quarantined])
    return conclusion


def _left_out(command: LeaveOut) -> Conclusion:
    quarantined = CauseQuarantined(
        cause_id=command.cause_id, cause_type=command.cause_type, error=command.error
    )
    return Conclusion(notes=[quarantined])


def _has_handled(state: PolicyState[S], position: Position, index: int) -> bool:
    if state.position is None:
        return False
    read = (state.position.sequence, state.index)
    return (position.sequence, index) <= read


def _furthest(state: PolicyState[S], position: Position, index: int) -> tuple[Position, int]:
    """Give where the policy is: letters before this one may have taken it beyond what was read.

    Both places are of the log that the policy itself is kept in, so sequences compare, also where
    an earlier generation had the one place first.
    """
    if state.position is None:
        return position, index
    known, given = (state.position.sequence, state.index), (position.sequence, index)
    return (state.position, state.index) if known > given else (position, index)


def _started(position: Position) -> PolicyAdvanced:
    return PolicyAdvanced(
        log_id=position.log_id,
        generation=position.generation,
        sequence=0,
        silent_until=position.sequence,
    )


def _advance(
    state: PolicyState[S],
    conclusion: Conclusion,
    read: tuple[Position, int],
    command: Observe | LeaveOut | Consider,
) -> Decision:
    if not conclusion:
        return []
    position, index = read
    silent = position.sequence <= state.silent_until
    wishes = [] if silent else conclusion.wishes
    orders = tuple(
        _order(wish, state.last_number + offset) for offset, wish in enumerate(wishes, 1)
    )
    advanced = PolicyAdvanced(
        log_id=position.log_id,
        generation=position.generation,
        sequence=position.sequence,
        index=index,
        orders=orders,
        delivered=max(command.delivered, state.delivered),
        left=command.left,
        silent_until=state.silent_until,
    )
    return [*conclusion.notes, advanced]


def _order(wish: Wish, number: int) -> Order:
    return Order(
        number=number,
        target=str(wish.target),
        command=type(wish.command).__name__,
        arguments=wish.command.model_dump(mode="json"),
        causation_id=wish.causation_id,
        correlation_id=wish.correlation_id,
        time=wish.time,
    )


def _advanced(state: PolicyState[S], event: PolicyAdvanced) -> PolicyState[S]:
    kept = (
        order
        for order in state.outbox
        if order.number > event.delivered or order.number in event.left
    )
    last_number = event.orders[-1].number if event.orders else state.last_number
    return state.model_copy(
        update={
            "position": Position(event.log_id, event.generation, event.sequence),
            "index": event.index,
            "last_number": last_number,
            "delivered": event.delivered,
            "silent_until": event.silent_until,
            "outbox": (*kept, *event.orders),
        }
    )
