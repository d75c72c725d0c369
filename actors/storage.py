"""The storage of the log keeps a record of its restores, and of how full its disk is."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from pydantic import TypeAdapter

from actors.base import Command, Decider, Decision, Declined, Tick
from events.base import Value
from events.storage import LogRestored, Pressure, StorageEvent, StoragePressureChanged


class Storage(Value):
    """Which generation of the log was begun last, and the pressure that was told last."""

    generation: int = 1
    pressure: Pressure = "none"


class RecordStorage(Command):
    """Write down what happened to the storage."""

    fact: LogRestored | StoragePressureChanged


def decide(state: Storage, command: Command, now: datetime) -> Decision:
    """Write down what changed."""
    del now
    match command:
        case Tick():
            return []
        case RecordStorage(fact=fact):
            return [] if evolve(state, fact) == state else [fact]
        case _:
            return Declined(f"a storage does not know {type(command).__name__}")


def evolve(state: Storage, event: StorageEvent) -> Storage:
    """Give the record after an event."""
    match event:
        case LogRestored(generation=generation):
            return state.model_copy(update={"generation": generation})
        case StoragePressureChanged(pressure=pressure):
            return state.model_copy(update={"pressure": pressure})
    assert_never(event)


STORAGE: Decider[Storage] = Decider(
    kind="storage",
    initial=Storage(),
    states=TypeAdapter(Storage),
    state_version=2,
    commands=(RecordStorage,),
    events=StorageEvent.__args__,
    decide=decide,
    evolve=evolve,  # type: ignore[arg-type]  # the host passes only events of this kind
)
