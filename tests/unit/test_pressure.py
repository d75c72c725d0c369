"""Pressure begins and ends at different shares; telemetry gives way first, and commits never."""

from __future__ import annotations

import pytest

from standfast.keeping.pressure import (
    CHECKPOINT_BYTES_MIN,
    TELEMETRY_BYTES_MIN,
    Room,
    Rooms,
    Shares,
    grown,
    pressure_at,
    shrunk,
)

MIB = 1024 * 1024
SHARES = Shares(high=0.8, critical=0.9, eased=0.7)


@pytest.mark.parametrize(
    ("share", "before", "after"),
    [
        (0.79, "none", "none"),
        (0.80, "none", "high"),
        (0.79, "high", "high"),
        (0.71, "high", "high"),
        (0.70, "high", "none"),
        (0.90, "high", "critical"),
        (0.89, "critical", "high"),
        (0.75, "critical", "high"),
        (0.69, "critical", "none"),
        (0.95, "none", "critical"),
    ],
)
def test_pressure_ends_well_below_where_it_begins(share: float, before: str, after: str) -> None:
    assert pressure_at(share, before, SHARES) == after  # type: ignore[arg-type]


def test_each_step_frees_half_of_the_telemetry_that_is_there_and_then_of_the_checkpoints() -> None:
    rooms = Rooms(Room(100 * MIB, 1024 * MIB), Room(40 * MIB, 2048 * MIB))
    limits = []
    for _ in range(12):
        rooms = shrunk(rooms)
        rooms = Rooms(
            Room(min(rooms.telemetry.size, rooms.telemetry.limit), rooms.telemetry.limit),
            Room(min(rooms.checkpoints.size, rooms.checkpoints.limit), rooms.checkpoints.limit),
        )
        limits.append((rooms.telemetry.limit // MIB, rooms.checkpoints.limit // MIB))
    assert limits[:5] == [(50, 2048), (25, 2048), (12, 2048), (6, 2048), (4, 2048)]
    assert limits[5:8] == [(4, 20), (4, 10), (4, 5)]
    assert rooms.telemetry.limit == TELEMETRY_BYTES_MIN
    assert rooms.checkpoints.limit == CHECKPOINT_BYTES_MIN
    assert shrunk(rooms) == rooms


def test_limits_come_back_step_by_step_and_never_go_beyond_what_is_configured() -> None:
    rooms = Rooms(Room(0, 4 * MIB), Room(0, 2048 * MIB))
    for _ in range(9):
        rooms = grown(rooms, 1000 * MIB, 1024 * MIB)
    assert (rooms.telemetry.limit, rooms.checkpoints.limit) == (1000 * MIB, 1024 * MIB)


def test_a_limit_that_is_small_already_is_not_raised_by_shrinking() -> None:
    small = Rooms(Room(0, MIB), Room(0, MIB))
    assert shrunk(small) == small
