"""Short words for tests of deciders: fold what a decider says, and read what it said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from actors.base import Command, Decider, Declined

if TYPE_CHECKING:
    from events.base import Event

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    """Give a moment after the beginning of a test."""
    return NOW + timedelta(seconds=seconds)


class Story:
    """One entity, command by command."""

    def __init__(self, decider: Decider[Any]) -> None:
        self.decider, self.state = decider, decider.initial

    def give(self, command: Command, seconds: float = 0.0) -> list[Event]:
        """Give a command at a moment; the events are folded. It must not be declined."""
        decision = self.decider.decide(self.state, command, later(seconds))
        assert not isinstance(decision, Declined), decision
        for event in decision:
            self.state = self.decider.evolve(self.state, event)
        return decision

    def names(self, command: Command, seconds: float = 0.0) -> list[str]:
        """Give a command, and the names of the events."""
        return [type(event).__name__ for event in self.give(command, seconds)]

    def declines(self, command: Command, seconds: float = 0.0) -> str:
        """Give a command that must be declined, and the reason."""
        decision = self.decider.decide(self.state, command, later(seconds))
        assert isinstance(decision, Declined), decision
        return decision.reason

    @property
    def is_in(self) -> str:
        """The name of the state."""
        return type(self.state).__name__
