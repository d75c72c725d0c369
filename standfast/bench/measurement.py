"""What a measurement is: a name, and work that gives figures."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from standfast.bench.figure import Figure


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement; its work starts and ends all that it needs."""

    name: str
    run: Callable[[], Awaitable[Sequence[Figure]]]


async def rate(work: Callable[[], Awaitable[int]]) -> float:
    """Give how many a second, of as many as the work says that it did."""
    began = time.perf_counter()
    count = await work()
    return count / (time.perf_counter() - began)


async def in_turn(*works: Callable[[], Awaitable[int]], rounds: int) -> list[float]:
    """Give the median rate of each work, measured in turn: a noisy machine hits all alike."""
    measured: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        order = list(enumerate(works))
        for place, work in order if number % 2 == 0 else reversed(order):
            measured[place].append(await rate(work))
    return [statistics.median(rates) for rates in measured]


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value that a share of all is at most."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
