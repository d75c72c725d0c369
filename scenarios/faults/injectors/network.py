"""What is said between Standfast's parts and the log is lost, held back, delayed or cut off."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenarios.faults.proxy import BOTH, EVERYBODY, Delay, Hold, Loss

if TYPE_CHECKING:
    from scenarios.faults.proxy import Way
    from scenarios.faults.recorded import Recorded
    from scenarios.faults.stand import Stand


def _whom(client: str) -> str:
    return client or "everybody"


@dataclass(slots=True)
class LoseAnswers:
    """Publishes pass, and their acknowledgements or answers do not: the next, or a share."""

    client: str = EVERYBODY
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
    def target(self) -> str:
        """Whose."""
        return _whom(self.client)

    @property
    def touches(self) -> frozenset[str]:
        """The answers of that kind."""
        return frozenset({f"answers to {self.prefix}"})

    async def begin(self, stand: Stand) -> list[Recorded] | None:
        """Lose them."""
        stand.proxy.add(self._loss)
        return []

    async def heal(self, stand: Stand) -> str:
        """Let all pass."""
        stand.proxy.remove(self._loss)
        return f"{self._loss.lost} lost"


@dataclass(slots=True)
class HoldBack:
    """Nothing passes, in one direction or both; later it does, or the connection is cut."""

    client: str = EVERYBODY
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

    @property
    def target(self) -> str:
        """Whose."""
        return _whom(self.client)

    @property
    def touches(self) -> frozenset[str]:
        """The connections."""
        return frozenset({"connections"})

    async def begin(self, stand: Stand) -> list[Recorded] | None:
        """Hold it back."""
        stand.proxy.add(self._hold)
        return []

    async def heal(self, stand: Stand) -> str:
        """Let it pass, late, or never."""
        count = stand.proxy.cut(self.client) if self.cuts else 0
        stand.proxy.remove(self._hold)
        return f"{count} connections cut" if self.cuts else "passed late"


@dataclass(slots=True)
class Slow:
    """All takes longer."""

    seconds: float
    client: str = EVERYBODY
    _delay: Delay = field(init=False)

    def __post_init__(self) -> None:
        """Make the rule."""
        self._delay = Delay(self.seconds, self.client)

    @property
    def name(self) -> str:
        """How much longer."""
        return f"delay of {self.seconds * 1000:.0f} ms"

    @property
    def target(self) -> str:
        """Whose."""
        return _whom(self.client)

    @property
    def touches(self) -> frozenset[str]:
        """The connections."""
        return frozenset({"connections"})

    async def begin(self, stand: Stand) -> list[Recorded] | None:
        """Begin to delay."""
        stand.proxy.add(self._delay)
        return []

    async def heal(self, stand: Stand) -> str:
        """Let it pass at once."""
        stand.proxy.remove(self._delay)
        return ""


@dataclass(slots=True)
class Cut:
    """The connections are cut; whoever had one connects again."""

    client: str = EVERYBODY
    name: str = "cut"

    @property
    def target(self) -> str:
        """Whose."""
        return _whom(self.client)

    @property
    def touches(self) -> frozenset[str]:
        """The connections."""
        return frozenset({"connections"})

    async def begin(self, stand: Stand) -> list[Recorded] | None:
        """Cut them; None where there is none."""
        return [] if stand.proxy.cut(self.client) else None

    async def heal(self, stand: Stand) -> str:
        """Nothing is left to undo."""
        del stand
        return ""
