"""A figure: what was measured, the same of a peer in the same run, and what it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from events.base import Value

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be: its value, or its ratio to the peer, at least or at most."""

    limit: float
    of: Literal["value", "ratio"] = "value"

    def text(self, better: Better) -> str:
        """Give the goal as people write it."""
        sign = ">=" if better == "higher" else "<="
        return f"{'ratio ' if self.of == 'ratio' else ''}{sign} {self.limit:g}"


class Peer(Value):
    """What the same work took something else, in the same run."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `ratio` is value to peer, of rates and of times as they are.

    `note` says what the value does not hold, where its name could be taken for more.
    """

    name: str
    value: float
    unit: str
    better: Better
    peer: Peer | None = None
    goal: Goal | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The value in terms of the peer's."""
        return None if self.peer is None or not self.peer.value else self.value / self.peer.value

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        held = self.ratio if self.goal.of == "ratio" else self.value
        if held is None:
            return False
        return held >= self.goal.limit if self.better == "higher" else held <= self.goal.limit

    def as_json(self) -> dict[str, Any]:
        """Give it for programs."""
        return {
            "name": self.name,
            "value": _rounded(self.value),
            "unit": self.unit,
            "better": self.better,
            "peer": None
            if self.peer is None
            else {"name": self.peer.name, "value": _rounded(self.peer.value)},
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "goal": None if self.goal is None else self.goal.text(self.better),
            "met": self.met,
            "note": self.note,
        }


def _rounded(value: float) -> float:
    """Keep what a measurement can tell: four digits."""
    return float(f"{value:.4g}")
