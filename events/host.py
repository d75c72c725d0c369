"""What happens to the hosts themselves: they start, read their buckets, and see clocks step."""

from __future__ import annotations

from pydantic import Field

from events.base import Event


class HostStarted(Event, type="standfast.host.started.v1"):
    """A host process began to serve."""

    pid: int
    node: str
    build: str


class HostReady(Event, type="standfast.host.ready.v1"):
    """The host has read all its buckets."""

    epoch: int
    entities: int = Field(ge=0)
    took_seconds: float = Field(ge=0)


class HostClockStepped(Event, type="standfast.host.clock_stepped.v1"):
    """The wall clock of the host's machine jumped against its monotonic clock."""

    offset_seconds: float


class HostBucketsGivenUp(Event, type="standfast.host.buckets_given_up.v1"):
    """Another writer owns these buckets; the host lost three times in a row and left them."""

    kind: str
    bucket: int = Field(ge=0, le=255)


HostEvent = HostStarted | HostReady | HostClockStepped | HostBucketsGivenUp
