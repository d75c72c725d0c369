"""From stored types to today's events: old versions are lifted, unknown ones refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from events import (  # noqa: F401  (importing a module registers its events)
    alert,
    effect,
    entity,
    host,
    incident,
    placement,
    platform,
    policy,
    recovery,
    service,
    storage,
    topology,
)
from events.base import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    Lift = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: dict[str, tuple[str, Lift]] = {}


class UnknownEventError(ValueError):
    """A stored event has a type that this build does not know; it must not be skipped."""


def upcaster(old: str, new: str) -> Callable[[Lift], Lift]:
    """Register a function that lifts the fields of an old type to those of a newer one."""

    def register(lift: Lift) -> Lift:
        assert old not in UPCASTERS, f"{old} is lifted twice"
        UPCASTERS[old] = (new, lift)
        return lift

    return register


def is_known(stored_type: str) -> bool:
    """Say whether this build can read events of a stored type."""
    return stored_type in Event.registry or stored_type in UPCASTERS


def decode_event(stored_type: str, data: dict[str, Any]) -> Event:
    """Build the event of a stored type, lifting it from version to version as needed.

    Raises `UnknownEventError`, or pydantic's `ValidationError` where the fields don't fit.
    """
    known = Event.registry.get(stored_type)
    if known is not None:
        event: Event = known.__pydantic_validator__.validate_python(data)
        return event
    if stored_type not in UPCASTERS:
        message = f"the event type {stored_type!r} is not known to this build"
        raise UnknownEventError(message)
    newer, lift = UPCASTERS[stored_type]
    return decode_event(newer, lift(data))
