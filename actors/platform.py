"""A platform has settings, or was never configured."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from pydantic import TypeAdapter

from actors.base import Command, Decider, Decision, Declined, Tick
from events.base import Value
from events.platform import (
    PlatformConfigured,
    PlatformEvent,
    PlatformLogWasAway,
    PlatformSettings,
    PlatformToldWithoutLog,
)


class Unconfigured(Value):
    """Nothing was configured."""


class Configured(Value):
    """The platform has these settings."""

    settings: PlatformSettings


Platform = Unconfigured | Configured


class ConfigurePlatform(Command):
    """Give the platform these settings."""

    settings: PlatformSettings
    configuration_hash: str


class RecordOutage(Command):
    """Write down what happened while the log could not be written."""

    fact: PlatformToldWithoutLog | PlatformLogWasAway


def decide(state: Platform, command: Command, now: datetime) -> Decision:
    """Decide what a command means for the platform."""
    del now
    match state, command:
        case _, Tick():
            return []
        case Configured(settings=settings), ConfigurePlatform(settings=wish) if settings == wish:
            return []
        case _, ConfigurePlatform(settings=wish, configuration_hash=digest):
            return [PlatformConfigured(settings=wish, configuration_hash=digest)]
        case _, RecordOutage(fact=fact):
            return [fact]
        case _:
            return Declined(f"a platform does not know {type(command).__name__}")


def evolve(state: Platform, event: PlatformEvent) -> Platform:
    """Give the state after an event."""
    match event:
        case PlatformConfigured(settings=settings):
            return Configured(settings=settings)
        case PlatformToldWithoutLog() | PlatformLogWasAway():
            return state
    assert_never(event)


PLATFORM: Decider[Platform] = Decider(
    kind="platform",
    initial=Unconfigured(),
    states=TypeAdapter(Platform),
    state_version=1,
    commands=(ConfigurePlatform, RecordOutage),
    events=PlatformEvent.__args__,
    decide=decide,
    evolve=evolve,  # type: ignore[arg-type]  # the host passes only events of this kind
)
