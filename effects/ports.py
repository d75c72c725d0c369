"""What is needed of the world, in small Protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from events.service import CheckSchedule

Check_contra = TypeVar("Check_contra", bound="CheckSchedule", contravariant=True)


class Clock(Protocol):
    """Time as it comes in."""

    def now(self) -> datetime:
        """Give the wall clock's time, in UTC."""
        ...

    def monotonic_seconds(self) -> float:
        """Give seconds since some moment, without steps."""
        ...


@dataclass(frozen=True, slots=True)
class Observed:
    """What one probe saw. `reason` is a sentence for people; a good result may have one too.

    `own_fault` says that the prober could not look at all: nothing is known of the service.
    """

    succeeded: bool
    duration_seconds: float
    reason: str = ""
    own_fault: bool = False


class Probe(Protocol[Check_contra]):
    """One way to look at a service.

    Whatever the service does is a returned value. The time-out of the check is kept.
    """

    async def probe(self, check: Check_contra) -> Observed:
        """Look once."""
        ...
