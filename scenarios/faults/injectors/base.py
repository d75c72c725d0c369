"""What every fault is: begun on a stand, in force for a while, and healed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from scenarios.faults.recorded import Recorded
    from scenarios.faults.stand import Stand


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

    async def begin(self, stand: Stand) -> list[Recorded] | None:
        """Do it. Gives the processes that were hit; None where the target is not there."""
        ...

    async def heal(self, stand: Stand) -> str:
        """Undo what lasts, and say what came of it."""
        ...
