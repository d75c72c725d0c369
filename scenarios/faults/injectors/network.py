"""What is said between Standfast's parts and the log is lost, held back, delayed or cut off."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenarios.faults.injectors.base import Begun, Healed
from scenarios.faults.proxy import BOTH, EVERYBODY, Delay, Hold, Loss

if TYPE_CHECKING:
    from scenarios.faults.proxy import Way
    from scenarios.faults.stand import Stand


@dataclass(slots=True)
class _OfClient:
    """What all of these have in common: whose connections they are about."""

    client: str = EVERYBODY

    @property
    def target(self) -> str:
        """Whose."""
        return self.client or "everybody"

    @property
    def touches(self) -> frozenset[str]:
        """The connections."""
        return frozenset({"connections"})


@dataclass(slots=True)
class LoseAnswers(_OfClient):
    """Publishes pass, and their acknowledgements or answers do not: the next, or a share."""

    prefix: str = "sf."
    left: int | None = 1
    share: float = 1.0
    seed: int = 0
    _loss: Loss = field(init=False)

    def __post_init__(self) -> None:
        """Make the rule."""
        chance = random.Random(self.seed)  # noqa: S311  (seeded, not secret)
        self._loss = Loss(self.client, self.prefix, self.left, self.share, chance)

    @property
    def name(self) -> str:
        """What is lost."""
        what = "acknowledgements" if self.prefix == "sf." else f"answers to {self.prefix}"
        return f"lose {what}"

    @property
    def touches(self) -> frozenset[str]:
        """The answers of that kind."""
        return frozenset({f"answers to {self.prefix}"})

    async def begin(self, stand: Stand) -> Begun | None:
        """Lose them."""
        stand.proxy.add(self._loss)
        return Begun(stand.in_flight)

    async def heal(self, stand: Stand) -> Healed:
        """Let all pass."""
        stand.proxy.remove(self._loss)
        return Healed(self._loss.lost, f"{self._loss.lost} lost")


@dataclass(slots=True)
class HoldBack(_OfClient):
    """Nothing passes, in one direction or both; later it does, or the connection is cut."""

    ways: tuple[Way, ...] = BOTH
    cuts: bool = False
    _hold: Hold = field(init=False)

    def __post_init__(self) -> None:
        """Make the rule."""
        self._hold = Hold(self.client, self.ways)

    @property
    def name(self) -> str:
        """What is held back, and whether it ever passes."""
        way = "both ways" if self.ways == BOTH else self.ways[0]
        return f"partition {way}{', then cut' if self.cuts else ''}"

    async def begin(self, stand: Stand) -> Begun | None:
        """Hold it back."""
        stand.proxy.add(self._hold)
        return Begun(stand.in_flight)

    async def heal(self, stand: Stand) -> Healed:
        """Let it pass, late, or never."""
        held = self._hold.held
        cut = stand.proxy.cut(self.client) if self.cuts else 0
        stand.proxy.remove(self._hold)
        end = f"{cut} connections cut" if self.cuts else "passed late"
        return Healed(held, f"{held} held, {end}")


@dataclass(slots=True)
class Slow(_OfClient):
    """All takes longer."""

    seconds: float = 0.1
    _delay: Delay = field(init=False)

    def __post_init__(self) -> None:
        """Make the rule."""
        self._delay = Delay(self.client, self.seconds)

    @property
    def name(self) -> str:
        """How much longer."""
        return f"delay of {self.seconds * 1000:.0f} ms"

    async def begin(self, stand: Stand) -> Begun | None:
        """Begin to delay."""
        stand.proxy.add(self._delay)
        return Begun(stand.in_flight)

    async def heal(self, stand: Stand) -> Healed:
        """Let it pass at once."""
        stand.proxy.remove(self._delay)
        return Healed(self._delay.delayed, f"{self._delay.delayed} delayed")


@dataclass(slots=True)
class Cut(_OfClient):
    """The connections are cut; whoever had one connects again."""

    name: str = "cut"
    _count: int = 0

    async def begin(self, stand: Stand) -> Begun | None:
        """Cut them; None where there is none."""
        in_flight = stand.in_flight
        self._count = stand.proxy.cut(self.client)
        return Begun(in_flight) if self._count else None

    async def heal(self, stand: Stand) -> Healed:
        """Nothing is left to undo."""
        del stand
        return Healed(self._count, f"{self._count} connections cut")
