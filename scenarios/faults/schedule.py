"""What is hurt next, drawn by chance from a seed: how often each fault, to whom, for how long."""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios.faults.injectors.disk import RefuseSyncs
from scenarios.faults.injectors.network import Cut, HoldBack, LoseAnswers, Slow
from scenarios.faults.injectors.processes import INTENDED, Double, Freeze, Kill, Strike
from scenarios.faults.injectors.world import Break
from scenarios.faults.platform import NEEDS
from scenarios.faults.proxy import BOTH, EVERYBODY
from scenarios.faults.stand import HOSTS, ROLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenarios.faults.injectors.base import Fault
    from scenarios.faults.proxy import Way

SECONDS_MAX = 6.0
OUTAGE_SECONDS = 25.0
DECIDING = ("service-host", "alert-host", "recovery-host", "coordinator")
SPEAKING = (*HOSTS, "executor", "evaluator", "projector", "worker-1", "worker-2")
INTENDING = ("alert-host", "recovery-host")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A fault, and how long it is in force, in seconds."""

    fault: Fault
    seconds: float


def _somebody(chance: random.Random, of: tuple[str, ...] = SPEAKING) -> str:
    """Draw one of the speakers, or everybody."""
    return EVERYBODY if chance.random() < 0.3 else chance.choice(of)  # noqa: PLR2004


def _ways(chance: random.Random) -> tuple[Way, ...]:
    choices: tuple[tuple[Way, ...], ...] = (("to server",), ("to client",), BOTH)
    return chance.choice(choices)


def _lose_next(chance: random.Random) -> Fault:
    return LoseAnswers(chance.choice(DECIDING), left=chance.randint(1, 8))


def _lose_share(chance: random.Random) -> Fault:
    prefix = chance.choice(("sf.", "sf.", "sfc.", "sfx.", "$JS.API."))
    share = chance.uniform(0.05, 0.6)
    seed = chance.getrandbits(32)
    return LoseAnswers(EVERYBODY, prefix, left=None, share=share, seed=seed)


def _strike(chance: random.Random) -> Fault:
    how = chance.choice((signal.SIGKILL, signal.SIGSTOP, signal.SIGSTOP))
    if chance.random() < 0.6:  # noqa: PLR2004
        return Strike(chance.choice(INTENDING), how, needle=INTENDED)
    target = chance.choice((*DECIDING, "executor"))
    return Strike(target, how, prefix="sfc." if target == "executor" else "sf.")


def _hold_back(chance: random.Random) -> Fault:
    return HoldBack(_somebody(chance), _ways(chance), cuts=chance.random() < 0.5)  # noqa: PLR2004


def _slow(chance: random.Random) -> Fault:
    seconds = chance.uniform(0.005, 0.2)
    return Slow(_somebody(chance), seconds)


DRAWS: tuple[tuple[float, Callable[[random.Random], Fault]], ...] = (
    (14, _lose_next),
    (12, _lose_share),
    (14, _strike),
    (8, lambda chance: Freeze(chance.choice((*HOSTS, *ROLES)))),
    (3, lambda _chance: Freeze("log")),
    (9, lambda chance: Kill(chance.choice(HOSTS))),
    (9, lambda chance: Kill(chance.choice(ROLES))),
    (4, lambda _chance: Kill("log")),
    (2, lambda _chance: Kill("supervisor")),
    (1, lambda _chance: Kill("raylet")),
    (1, lambda _chance: Kill("ray")),
    (2, lambda chance: Kill(chance.choice(("receiver", "worker-1", "worker-2")))),
    (4, lambda chance: Double(chance.choice(DECIDING))),
    (3, lambda chance: RefuseSyncs(chance.choice(("executor", "log")))),
    (8, _hold_back),
    (5, _slow),
    (4, lambda chance: Cut(_somebody(chance))),
    (10, lambda chance: Break(chance.choice(tuple(NEEDS)))),
)
"""How often each fault is drawn, against the others."""


class Schedule:
    """Draws faults from a seed, for as long as one is asked for."""

    def __init__(self, seed: int) -> None:
        """Begin at the seed."""
        self._chance = random.Random(seed)  # noqa: S311  (seeded, not secret)

    def draw(self) -> Drawn:
        """Draw the next fault."""
        weights = [weight for weight, _ in DRAWS]
        make = self._chance.choices([make for _, make in DRAWS], weights)[0]
        return Drawn(make(self._chance), self._chance.uniform(0.2, SECONDS_MAX))

    def outage(self) -> Drawn:
        """Draw a service that fails and stays so, for longer than may go unnoticed."""
        fault = Break(self._chance.choice(tuple(NEEDS)), lasts=True)
        return Drawn(fault, OUTAGE_SECONDS)

    def pause(self, mean_seconds: float) -> float:
        """Draw how long to wait before the next fault, about so long."""
        return self._chance.uniform(0.5, 1.5) * mean_seconds
