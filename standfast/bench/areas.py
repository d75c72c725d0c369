"""Which areas there are; each is a list of measurements that take about a minute together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from standfast.bench.core import CORE
from standfast.bench.simulation import SIMULATION

if TYPE_CHECKING:
    from standfast.bench.measurement import Measurement


@dataclass(frozen=True, slots=True)
class Area:
    """One area: what it is about, and how it is measured."""

    name: str
    about: str
    measurements: tuple[Measurement, ...]


AREAS: dict[str, Area] = {
    area.name: area
    for area in (
        Area("core", "the log, the hosts, commands, telemetry and replay", CORE),
        Area("simulation", "how fast it is, and how soon it finds a bug", SIMULATION),
    )
}
