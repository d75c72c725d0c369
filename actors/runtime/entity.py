"""One entity in its host's memory: its state, the end of its chain, and what it has handled."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actors.base import ENTITY_EVENTS
from actors.deciders import decider_for
from actors.runtime.commands import Answer, Outcome
from events.codec import decode_event
from events.commit import Head, digest_of
from events.effect import (
    EffectCancelled,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectSucceeded,
)
from events.entity import CommandDeclined, EntityParked, EntityReleased

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.base import Decider
    from actors.runtime.letters import Letter
    from events.address import EntityAddress
    from events.base import Event, Origin
    from events.commit import Fact, StoredCommit

RECENT_MAX = 1_280
"""More than a mailbox and a commit hold: a command is known for as long as it may be on its way."""
ERROR_CHARACTERS_MAX = 500
NOTED = frozenset(
    {
        EntityParked,
        EntityReleased,
        EffectIntended,
        EffectSucceeded,
        EffectFailed,
        EffectCancelled,
        EffectOutcomeUnknown,
    }
)
"""Events that the host itself keeps account of."""

_OF_ANY_ENTITY = frozenset(ENTITY_EVENTS)


@dataclass(frozen=True, slots=True)
class Wished:
    """Where an intent was wished: the commit's sequence is its key and its fence."""

    sequence: int
    event_id: str
    correlation_id: str


@dataclass(slots=True)
class Entity:
    """An entity as its host knows it.

    `marks` holds the highest number handled of each policy, `recent` the last command ids of the
    edge, each with why it was declined or "", `intents` where each open intent was wished.
    `unreadable` is set where the stored history can't be folded; `parked` where that, or an error
    in a decision, was committed. `seen` is the highest sequence of its subject that was noticed,
    by whomever it was written. `left` is set when another host owns it: what is under way may be
    stored, but is not tried again. While it is `ticking` it is being told that something is due.
    """

    address: EntityAddress
    decider: Decider[Any]
    _state: Any
    _head: Head = field(default_factory=Head)
    marks: dict[str, int] = field(default_factory=dict)
    recent: dict[str, str] = field(default_factory=dict)
    intents: dict[int, Wished] = field(default_factory=dict)
    parked: EntityParked | None = None
    unreadable: EntityParked | None = None
    mailbox: deque[Letter] = field(default_factory=deque)
    draining: bool = False
    stale: bool = False
    ticking: bool = False
    conflicts: int = 0
    left: bool = False
    seen: int = 0
    used: float = 0.0
    _asleep: bytes | None = None
    _newest: tuple[int, bytes] | None = None

    @classmethod
    def new(cls, address: EntityAddress) -> Entity:
        """Give an entity that nothing has happened to. Raises `UnknownKindError`."""
        decider = decider_for(address)
        return cls(address, decider, decider.initial)

    @property
    def state(self) -> Any:  # noqa: ANN401  (of its kind's type)
        """The state; looking at it wakes an entity that sleeps."""
        if self._asleep is not None:
            self.state = self.decider.states.validate_json(self._asleep)
        return self._state

    @state.setter
    def state(self, state: Any) -> None:  # noqa: ANN401
        self._state, self._asleep = state, None

    @property
    def head(self) -> Head:
        """The end of its chain; the digest of the newest commit is made when it is looked at."""
        if self._newest is not None:
            sequence, payload = self._newest
            self.head = Head(sequence, digest_of(payload))
        return self._head

    @head.setter
    def head(self, head: Head) -> None:
        self._head, self._newest = head, None

    def settle(self) -> None:
        """Look at its head, so that the newest commit's bytes need not be kept."""
        self.head = self.head

    @property
    def sequence(self) -> int:
        """The sequence of its newest commit, 0 where there is none."""
        return self._head.sequence if self._newest is None else self._newest[0]

    @property
    def is_asleep(self) -> bool:
        """Say whether the state is packed away."""
        return self._asleep is not None

    def passivate(self) -> None:
        """Pack the state away, as in a checkpoint. What is due and what was handled stays known."""
        self._asleep = self.packed_state()
        self._state = None

    def packed_state(self) -> bytes:
        """Give the state as a checkpoint keeps it; a sleeping entity is not woken for it."""
        return self._asleep or self.decider.states.dump_json(self._state)

    @property
    def quarantine(self) -> EntityParked | None:
        """Why the entity answers nothing, if so."""
        return self.unreadable or self.parked

    def refuse(self, reason: str) -> None:
        """Send back what waits in the mailbox: its senders ask whoever owns the entity now."""
        while self.mailbox:
            self.mailbox.popleft().answer(Answer(Outcome.BUSY, reason))

    def fold(self, stored: StoredCommit) -> None:
        """Take in the next stored commit. What can't be taken in makes the entity unreadable."""
        commit = stored.commit
        if commit.previous.sequence != self.sequence:
            previous, read = commit.previous.sequence, self.sequence
            self._give_up(stored, "chain", f"its predecessor is {previous}, but {read} was read")
        refusals = refusals_of(commit.facts)
        for index, origin in enumerate(commit.origins):
            self.remember(origin, refusals.get(index, ""))
        if self.unreadable is None:
            self._fold_facts(stored)
        else:
            self._fold_quarantine(stored)
        self._newest = stored.sequence, stored.payload

    def _fold_facts(self, stored: StoredCommit) -> None:
        where, state, evolve = "decode", self.state, self.decider.evolve
        try:
            for index, fact in enumerate(stored.commit.facts):
                where = "decode"
                event = decode_event(fact.type, fact.data)
                where = "evolve"
                kind = type(event)
                if kind not in _OF_ANY_ENTITY:
                    state = evolve(state, event)
                if kind in NOTED:
                    self.note(event, _wished(stored, index))
        except Exception as error:  # noqa: BLE001  (any error parks this one entity)
            self._give_up(stored, where, f"{type(error).__name__}: {error}")
        self.state = state

    def _fold_quarantine(self, stored: StoredCommit) -> None:
        """After what can't be read, see at least whether the quarantine was committed."""
        for fact in stored.commit.facts:
            if fact.type in (EntityParked.type, EntityReleased.type):
                self.note(decode_event(fact.type, fact.data), None)

    def evolved(self, state: Any, event: Event) -> Any:  # noqa: ANN401  (of its kind's type)
        """Give a state after an event; events of any entity leave it as it is."""
        if type(event) in _OF_ANY_ENTITY:
            return state
        return self.decider.evolve(state, event)

    def note(self, event: Event, wished: Wished | None) -> None:
        """Note an event that concerns the quarantine or the intents of the entity."""
        match event:
            case EntityParked():
                self.parked = event
            case EntityReleased():
                self.parked = None
            case EffectIntended(intent=intent) if wished is not None:
                self.intents[intent.number] = wished
            case EffectSucceeded() | EffectFailed() | EffectCancelled() | EffectOutcomeUnknown():
                self.intents.pop(event.number, None)
            case _:
                pass

    def _give_up(self, stored: StoredCommit, where: str, error: str) -> None:
        if self.unreadable is None:
            sequence = stored.sequence
            text = f"commit {sequence}: {error}"[:ERROR_CHARACTERS_MAX]
            self.unreadable = EntityParked(error=text, where=where, sequence=sequence)

    def remember(self, origin: Origin, refusal: str = "") -> None:
        """Remember that a command was handled, and why it was declined if it was."""
        if origin.mark is not None:
            known = self.marks.get(origin.mark.policy, 0)
            self.marks[origin.mark.policy] = max(known, origin.mark.number)
            return
        self.recent[origin.command_id] = refusal
        while len(self.recent) > RECENT_MAX:
            del self.recent[next(iter(self.recent))]

    def has_handled(self, origin: Origin) -> bool:
        """Say whether a command was handled before."""
        if origin.mark is not None:
            return origin.mark.number <= self.marks.get(origin.mark.policy, 0)
        return origin.command_id in self.recent

    def refusal_of(self, origin: Origin) -> str:
        """Give why a command of the edge that was handled before was declined, "" if it was not."""
        return "" if origin.mark is not None else self.recent.get(origin.command_id, "")


def refusals_of(facts: Sequence[Fact]) -> dict[int, str]:
    """Give why commands of a commit were declined, by the index of their origin."""
    return {
        fact.origin: str(fact.data.get("reason", ""))
        for fact in facts
        if fact.type == CommandDeclined.type
    }


def _wished(stored: StoredCommit, index: int) -> Wished:
    """Give what an intent would be known by that is the fact of a commit at an index."""
    commit = stored.commit
    origin = commit.origins[commit.facts[index].origin]
    return Wished(stored.sequence, f"{commit.id}.{index}", origin.correlation_id)
