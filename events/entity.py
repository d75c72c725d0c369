"""Facts that any entity may have about itself, whatever its kind."""

from __future__ import annotations

from pydantic import Field

from events.base import Event


class CommandDeclined(Event, type="standfast.entity.command_declined.v1"):
    """A command was declined, or a policy's led to no fact: why, for "why was I not paged?"."""

    command: str
    reason: str


class EntityParked(Event, type="standfast.entity.parked.v1"):
    """The entity raised an error and is quarantined: it answers nothing until released."""

    error: str
    where: str = Field(description="decide, evolve or decode")
    sequence: int = Field(ge=0, description="of the commit that could not be read, or 0")


class EntityReleased(Event, type="standfast.entity.released.v1"):
    """A person released the entity from quarantine."""

    reason: str


EntityEvent = CommandDeclined | EntityParked | EntityReleased
