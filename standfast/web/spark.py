"""A service's last probes as bars: one path for those that succeeded, one for those that failed."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING

from projections.latency import POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

STEP = 3
HEIGHT = 28
WIDTH = STEP * POINTS


@dataclass(frozen=True, slots=True)
class Spark:
    """Paths for SVG, the newest probe as text, and all of it in words."""

    good: str
    failed: str
    unsure: str
    latest: str
    words: str


_UNSURE_BAR = f"{HEIGHT}V{HEIGHT - 3}"
_FAILED_BAR = f"{HEIGHT}V0"


def spark(values: Sequence[float | None]) -> Spark:
    """Draw probes, the newest at the right, on a scale that keeps small differences visible.

    Values are milliseconds, -1 for a failed probe, None for one that nobody can judge.
    """
    shown = values[-POINTS:]
    good = [value for value in shown if value is not None and value >= 0]
    top = max(1.0, *good, 2 * median(good)) if good else 1.0
    bars: dict[str, list[str]] = {"good": [], "failed": [], "unsure": []}
    for place, value in zip(_PLACES[POINTS - len(shown) :], shown, strict=True):
        if value is None:
            bars["unsure"].append(place + _UNSURE_BAR)
        elif value < 0:
            bars["failed"].append(place + _FAILED_BAR)
        else:
            bars["good"].append(f"{place}{HEIGHT}V{HEIGHT - _height(value / top):.1f}")
    paths = {kind: "".join(parts) for kind, parts in bars.items()}
    return Spark(**paths, latest=_latest(shown), words=_words(shown, good))


_PLACES = tuple(f"M{index * STEP + 1} " for index in range(POINTS))


def _height(share: float) -> float:
    return 3 + (HEIGHT - 5) * sqrt(share)


def _latest(values: Sequence[float | None]) -> str:
    if not values or values[-1] is None:
        return ""
    return "failed" if values[-1] < 0 else milliseconds_text(values[-1])


def milliseconds_text(milliseconds: float) -> str:
    """Give a short time as people read it: `0.4 ms`, `12 ms`, `1.2 s`."""
    if milliseconds >= 1_000:  # noqa: PLR2004  (a second)
        return f"{milliseconds / 1_000:.1f} s"
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"  # noqa: PLR2004


def _words(values: Sequence[float | None], good: list[float]) -> str:
    if not values:
        return "no probes seen yet"
    failed = sum(1 for value in values if value is not None and value < 0)
    typical = f", typically {milliseconds_text(median(good))}" if good else ""
    return f"last {len(values)} probes: {failed} failed{typical}"
