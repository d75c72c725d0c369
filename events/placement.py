"""Who hosts what: the buckets of every kind, by epoch."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from events.base import Event, Value


class BucketRange(Value):
    """Buckets first to last of one kind, both included."""

    kind: str
    first: int = Field(default=0, ge=0, le=255)
    last: int = Field(default=255, ge=0, le=255)


class BucketsPlaced(Event, type="standfast.placement.buckets_placed.v1"):
    """From this epoch on, these hosts own these buckets, and no others do."""

    epoch: PositiveInt
    hosts: dict[str, tuple[BucketRange, ...]]
    isolated: dict[str, str] = Field(
        default_factory=dict, description="an entity's address to the host it has for itself"
    )


PlacementEvent = BucketsPlaced
