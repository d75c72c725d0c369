"""What one simulated run is told: how long, how large, and how much goes wrong."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from events.base import Value

DAY_SECONDS = 86_400.0


class SimulationSettings(Value):
    """One run. The seed decides all that these leave open."""

    seed: int
    days: PositiveFloat = 1.0
    services: PositiveInt = 100
    failures_per_day: NonNegativeFloat = Field(
        default=0.5, description="how often a service fails by itself, on average"
    )
    faults_per_day: NonNegativeFloat = Field(
        default=40.0, description="how many faults of Standfast's own parts"
    )
    heal_seconds: PositiveFloat = Field(
        default=1800.0, description="how long all is quiet before the last look"
    )
    bug: str = Field(default="", description="a bug that is seeded on purpose")

    @property
    def seconds(self) -> float:
        """How long things may go wrong."""
        return self.days * DAY_SECONDS


def again(settings: SimulationSettings) -> str:
    """Give the command that runs the same once more."""
    given = {
        "seed": settings.seed,
        "days": settings.days,
        "services": settings.services,
        "failures-per-day": settings.failures_per_day,
        "faults-per-day": settings.faults_per_day,
        "heal-seconds": settings.heal_seconds,
        **({"bug": settings.bug} if settings.bug else {}),
    }
    return " ".join(["standfast simulate", *(f"--{name} {one}" for name, one in given.items())])
