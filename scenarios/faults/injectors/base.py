"""What every fault is: begun on a stand, in force for a while, and healed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from scenarios.faults.recorded import Recorded
    from scenarios.faults.stand import Stand


@dataclass(frozen=True, slots=True)
class Begun:
    """A fault is in force: the processes that were hit, and the commands in flight just then."""

    in_flight: int
    processes: tuple[Recorded, ...] = ()


@dataclass(frozen=True, slots=True)
class Healed:
    """A fault is over. `effect` is how much it did: processes hit, frames, connections, calls."""

    effect: int
    detail: str = ""


class Fault(Protocol):
    """One fault. Two that touch one part are never in force together."""

    @property
    def name(self) -> str:
        """What is done."""
        ...

    @property
    def target(self) -> str:
        """To whom it is done."""
        ...

    @property
    def touches(self) -> frozenset[str]:
        """The parts that it needs for itself."""
        ...

    async def begin(self, stand: Stand) -> Begun | None:
        """Do it. None where the target is not there."""
        ...

    async def heal(self, stand: Stand) -> Healed:
        """Undo what lasts, and say what came of it."""
        ...
