"""The world fails too: a service dies, and there is something to notice, to tell and to mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.faults.recorded import Recorded
    from scenarios.faults.stand import Stand


@dataclass(slots=True)
class Break:
    """Kill -9 of a service of the platform; Standfast must notice, tell, and mend."""

    target: str
    name: str = "break"

    @property
    def touches(self) -> frozenset[str]:
        """The service."""
        return frozenset({self.target})

    async def begin(self, stand: Stand) -> list[Recorded] | None:
        """Kill it; None where it is down already."""
        found = await stand.find(self.target)
        if self.target in stand.outages.open or found is None or not found.kill():
            return None
        stand.outages.begin(self.target)
        return [found]

    async def heal(self, stand: Stand) -> str:
        """Standfast heals it."""
        del stand
        return ""
