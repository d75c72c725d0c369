"""The world fails too: a service dies, and there is something to notice, to tell and to mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenarios.checker.broken_times import IN_CALM
from scenarios.faults.injectors.base import Begun, Healed

if TYPE_CHECKING:
    from scenarios.faults.stand import Stand


@dataclass(slots=True)
class Break:
    """Kill -9 of a service of the platform; Standfast must notice, tell, and mend.

    With `lasts` it ends whenever it is started, until healed: so long nothing can mend it.
    """

    target: str
    lasts: bool = False

    @property
    def name(self) -> str:
        """What is done."""
        return IN_CALM if self.lasts else "break"

    @property
    def touches(self) -> frozenset[str]:
        """The service."""
        return frozenset({self.target})

    async def begin(self, stand: Stand) -> Begun | None:
        """Kill it; None where it is down already."""
        found, in_flight = await stand.find(self.target), stand.in_flight
        if self.target in stand.outages.open or found is None:
            return None
        if self.lasts:
            stand.refusal(self.target).touch()
        if not found.kill():
            stand.refusal(self.target).unlink(missing_ok=True)
            return None
        stand.outages.begin(self.target)
        return Begun(in_flight, (found,))

    async def heal(self, stand: Stand) -> Healed:
        """Let it be started again; Standfast heals it."""
        stand.refusal(self.target).unlink(missing_ok=True)
        return Healed(1)
