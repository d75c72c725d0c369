"""An entity through a history of commands: every step of it is checked."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings

from actors.base import Command, Decider, Declined, Tick
from events.codec import decode_event
from events.commit import fact_of
from events.effect import (
    EffectCancelled,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectSucceeded,
)
from tests.drawing import EPOCH

if TYPE_CHECKING:
    from events.base import Event

ENDS = (EffectSucceeded, EffectFailed, EffectCancelled, EffectOutcomeUnknown)
QUIET = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class Life:
    """One entity through a history; every step is checked."""

    def __init__(self, decider: Decider[Any]) -> None:
        self.decider, self.state, self.now = decider, decider.initial, EPOCH
        self.events: list[Event] = []

    def give(self, command: Command, seconds: float = 0.0) -> list[Event]:
        """Let time pass, give a command, and take in what comes of it."""
        self.now += timedelta(seconds=seconds)
        decision = self.decider.decide(self.state, command, self.now)
        if isinstance(decision, Declined):
            assert decision.reason
            return []
        for event in decision:
            assert isinstance(event, self.decider.events)
            fact = fact_of(event, 0)
            assert decode_event(fact.type, fact.data) == event
            self.state = self.decider.evolve(self.state, event)
        kept = self.decider.states.dump_json(self.state)
        assert self.decider.states.validate_json(kept) == self.state
        due = self.decider.due(self.state)
        assert due is None or due.tzinfo is not None
        self.events += decision
        return decision

    def let_all_pass(self, ticks_max: int = 400) -> None:
        """Tick whenever something is due, until nothing is."""
        for _ in range(ticks_max):
            due = self.decider.due(self.state)
            if due is None:
                return
            self.now = max(self.now, due)
            before = self.state
            self.give(Tick())
            assert self.state != before, "what is due must change something, or it is due for ever"
        message = f"something is still due after {ticks_max} ticks: {self.state}"
        raise AssertionError(message)


def check_intents(life: Life) -> None:
    """Every intent has one end when all deadlines have passed, and numbers only rise."""
    numbers = [one.intent.number for one in life.events if isinstance(one, EffectIntended)]
    assert numbers == list(range(1, len(numbers) + 1))
    ends = Counter(one.number for one in life.events if isinstance(one, ENDS))
    assert ends == Counter(numbers)
    intents = life.decider.intents(life.state)
    assert intents is None or not intents.open
