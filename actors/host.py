"""A host keeps a record of its own starts, of buckets given up, and of clocks that stepped."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from pydantic import TypeAdapter

from actors.base import Command, Decider, Decision, Declined, Tick
from events.base import Value
from events.host import (
    HostBucketsGivenUp,
    HostClockStepped,
    HostEvent,
    HostReady,
    HostStarted,
)


class HostRecord(Value):
    """How often the host started, and as which process last."""

    starts: int = 0
    pid: int = 0
    node: str = ""
    build: str = ""


class RecordHost(Command):
    """Write down what happened to the host."""

    fact: HostStarted | HostReady | HostClockStepped | HostBucketsGivenUp


def decide(state: HostRecord, command: Command, now: datetime) -> Decision:
    """Write down whatever the host says of itself."""
    del state, now
    match command:
        case Tick():
            return []
        case RecordHost(fact=fact):
            return [fact]
        case _:
            return Declined(f"a host does not know {type(command).__name__}")


def evolve(state: HostRecord, event: HostEvent) -> HostRecord:
    """Give the record after an event."""
    match event:
        case HostStarted(pid=pid, node=node, build=build):
            return HostRecord(starts=state.starts + 1, pid=pid, node=node, build=build)
        case HostReady() | HostClockStepped() | HostBucketsGivenUp():
            return state
    assert_never(event)


HOST: Decider[HostRecord] = Decider(
    kind="host",
    initial=HostRecord(),
    states=TypeAdapter(HostRecord),
    state_version=1,
    commands=(RecordHost,),
    events=HostEvent.__args__,
    decide=decide,
    evolve=evolve,  # type: ignore[arg-type]  # the host passes only events of this kind
)
