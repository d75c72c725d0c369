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


async def paired(
    ours: Callable[[], Awaitable[int]], peer: Callable[[], Awaitable[int]], rounds: int
) -> tuple[float, float]:
    """Give the medians of both rates, measured in turn: a noisy machine hits both alike."""
    measured: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        order = ((ours, 0), (peer, 1)) if number % 2 == 0 else ((peer, 1), (ours, 0))
        for work, place in order:
            measured[place].append(await rate(work))
    return statistics.median(measured[0]), statistics.median(measured[1])
