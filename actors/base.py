"""The contract of a decider: pure functions from state and command to facts, and back to state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import TypeAdapter

from events.base import Event, Value
from events.entity import CommandDeclined, EntityParked, EntityReleased

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from actors.intents import Intents

S = TypeVar("S")


class Command(Value):
    """A wish, in the imperative. Its class name is its name on the wire."""

    registry: ClassVar[dict[str, type[Command]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register the command under its class name."""
        super().__init_subclass__(**kwargs)
        assert cls.__name__ not in Command.registry, f"there are two commands {cls.__name__}"
        Command.registry[cls.__name__] = cls


class Tick(Command):
    """Something of the entity's own may be due; only the host gives this command."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The command is refused, and why; nothing changes."""

    reason: str


Decision = list[Event] | Declined


@dataclass(frozen=True, slots=True)
class Decider(Generic[S]):
    """All that a host must know about a kind of entity.

    `decide(state, command, now)` makes all choices and gives events, `[]` for "nothing changes",
    or `Declined`. `evolve(state, event)` is total. `due(state)` is when the entity next needs a
    `Tick`, or None. `intents(state)` are the effects it wants and has no outcome of.
    `state_version` rises whenever old checkpoints of the state can't be read any more.
    """

    kind: str
    initial: S
    states: TypeAdapter[S]
    state_version: int
    commands: tuple[type[Command], ...]
    events: tuple[type[Event], ...]
    decide: Callable[[S, Command, datetime], Decision]
    evolve: Callable[[S, Event], S]
    due: Callable[[S], datetime | None] = lambda _state: None
    intents: Callable[[S], Intents | None] = lambda _state: None


ENTITY_EVENTS: tuple[type[Event], ...] = (CommandDeclined, EntityParked, EntityReleased)
"""Events of any entity; the host knows what they mean, deciders never see them."""


def state_name(state: object) -> str:
    """Give the name of a state as people read it: the class name of the union's member."""
    return type(state).__name__
