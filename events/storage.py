"""What happens to the storage of the log itself: it was made anew from a file, or runs low."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt

from events.base import Event

Pressure = Literal["none", "high", "critical"]


class LogRestored(Event, type="standfast.storage.log_restored.v1"):
    """The log was made anew from a file: from here on it is another generation of itself."""

    generation: PositiveInt
    source: Literal["backup", "archive"]
    made: AwareDatetime = Field(description="when the file was made")
    source_generation: PositiveInt
    head: NonNegativeInt = Field(description="the last sequence of the file")
    given_up: NonNegativeInt = Field(description="commits of the log as it was, not in the file")
    given_up_since: AwareDatetime | None = None
    by: str


class StoragePressureChanged(Event, type="standfast.storage.pressure_changed.v1"):
    """The disk under the log filled up, or has room again; telemetry has this much of it now."""

    pressure: Pressure
    used_share: float = Field(ge=0, le=1, description="of the disk, or of the log's limit")
    free_bytes: NonNegativeInt
    telemetry_bytes_max: PositiveInt
    checkpoint_bytes_max: PositiveInt


StorageEvent = LogRestored | StoragePressureChanged
