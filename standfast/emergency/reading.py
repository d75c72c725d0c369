"""What other processes know of an outage: they read the prober's spool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from standfast.emergency.records import Outage, outage_in
from standfast.emergency.spool import read_spool, stamp_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class OutageReader:
    """The outage that the prober's spool holds, read when the file has changed."""

    path: Path
    outage: Outage | None = None
    _stamp: int | None = 0

    def read(self) -> Outage | None:
        """Give the outage as it is now."""
        stamp = stamp_of(self.path)
        if stamp == 0:
            return self.outage
        if stamp is None or stamp != self._stamp:
            self.outage = outage_in(read_spool(self.path))
            self._stamp = stamp
        return self.outage

    def speaks_of(self, service: str) -> bool:
        """Say whether the prober has concluded about a service, and tells the log by itself."""
        outage = self.read()
        return outage is not None and service in outage.newest
