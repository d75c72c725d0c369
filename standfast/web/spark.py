"""A service's last probes as bars: one path for those that succeeded, one for those that failed."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING

from projections.latency import POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from projections.latency import Point

STEP = 3
HEIGHT = 28
WIDTH = STEP * POINTS
FAILED = -1.0


@dataclass(frozen=True, slots=True)
class Spark:
    """Paths for SVG, the newest probe as text, and all of it in words."""

    good: str
    failed: str
    unsure: str
    latest: str
    words: str


def compact(points: Sequence[Point]) -> list[float | None]:
    """Give probes as milliseconds, -1 for a failed one, None for one that nobody can judge."""
    return [_compact(point) for point in points]


def _compact(point: Point) -> float | None:
    if point.success is None:
        return None
    return FAILED if not point.success else round((point.seconds or 0.0) * 1_000, 1)


def spark(points: Sequence[Point]) -> Spark:
    """Draw probes, the newest at the right, on a scale that keeps small differences visible."""
    values = compact(points)[-POINTS:]
    good = [value for value in values if value is not None and value >= 0]
    top = max([1.0, *good, 2 * median(good)]) if good else 1.0
    start = POINTS - len(values)
    bars: dict[str, list[str]] = {"good": [], "failed": [], "unsure": []}
    for index, value in enumerate(values, start):
        kind, height = _bar(value, top)
        bars[kind].append(f"M{index * STEP + 1} {HEIGHT}V{HEIGHT - height:g}")
    paths = {kind: "".join(parts) for kind, parts in bars.items()}
    return Spark(**paths, latest=_latest(values), words=_words(values, good))


def _bar(value: float | None, top: float) -> tuple[str, float]:
    if value is None:
        return "unsure", 3
    if value < 0:
        return "failed", HEIGHT
    return "good", round(3 + (HEIGHT - 5) * sqrt(value / top), 1)


def _latest(values: list[float | None]) -> str:
    if not values or values[-1] is None:
        return ""
    return "failed" if values[-1] < 0 else milliseconds_text(values[-1])


def milliseconds_text(milliseconds: float) -> str:
    """Give a short time as people read it: `0.4 ms`, `12 ms`, `1.2 s`."""
    if milliseconds >= 1_000:  # noqa: PLR2004  (a second)
        return f"{milliseconds / 1_000:.1f} s"
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"  # noqa: PLR2004


def _words(values: list[float | None], good: list[float]) -> str:
    if not values:
        return "no probes seen yet"
    failed = sum(1 for value in values if value is not None and value < 0)
    typical = f", typically {milliseconds_text(median(good))}" if good else ""
    return f"last {len(values)} probes: {failed} failed{typical}"
