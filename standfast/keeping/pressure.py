"""When the log's disk fills up telemetry gives way first, then checkpoints; commits never do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from events.storage import Pressure

TELEMETRY_BYTES_MIN = 4 * 1024 * 1024
CHECKPOINT_BYTES_MIN = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Shares:
    """How full the disk may be, from 0 to 1: when things give way, and when they get room again."""

    high: float = 0.80
    critical: float = 0.90
    eased: float = 0.70


@dataclass(frozen=True, slots=True)
class Room:
    """What one of the streams that may shrink has: its size, and its limit, in bytes."""

    size: int
    limit: int


@dataclass(frozen=True, slots=True)
class Rooms:
    """The streams that may shrink."""

    telemetry: Room
    checkpoints: Room


def pressure_at(used_share: float, before: Pressure, shares: Shares) -> Pressure:
    """Say how much pressure there is; it ends only well below where it begins."""
    if used_share >= shares.critical:
        return "critical"
    if used_share >= shares.high or (before != "none" and used_share > shares.eased):
        return "high"
    return "none"


def shrunk(rooms: Rooms) -> Rooms:
    """Give the next smaller limits: telemetry by half, and when it is small, checkpoints by half.

    A half is one of what is there, so that each step frees something.
    """
    if rooms.telemetry.limit > TELEMETRY_BYTES_MIN:
        return replace(rooms, telemetry=_halved(rooms.telemetry, TELEMETRY_BYTES_MIN))
    return replace(rooms, checkpoints=_halved(rooms.checkpoints, CHECKPOINT_BYTES_MIN))


def grown(rooms: Rooms, telemetry_bytes_max: int, checkpoint_bytes_max: int) -> Rooms:
    """Give the next larger limits, twice what they are, up to what is configured."""
    return Rooms(
        telemetry=_doubled(rooms.telemetry, telemetry_bytes_max),
        checkpoints=_doubled(rooms.checkpoints, checkpoint_bytes_max),
    )


def _halved(room: Room, least: int) -> Room:
    limit = max(least, min(room.limit, room.size) // 2)
    return replace(room, limit=min(room.limit, limit))


def _doubled(room: Room, most: int) -> Room:
    return replace(room, limit=min(2 * room.limit, most))
