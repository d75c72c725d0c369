"""What truly is broken of the platform, seen without Standfast: its ports are looked at."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scenarios.faults.lines import JsonLines
from scenarios.faults.service import reaches

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOOK_SECONDS = 0.2


class Outages:
    """The outages that the injector made, from the kill to the first answer after it."""

    def __init__(self, path: Path, ports: Mapping[str, int]) -> None:
        """Write to a file; `ports` are where services listen."""
        self._path, self._ports = path, ports
        self._began: dict[str, str] = {}

    def begin(self, service: str) -> None:
        """Note that a service was killed just now."""
        self._began.setdefault(service, datetime.now(UTC).isoformat())

    @property
    def open(self) -> tuple[str, ...]:
        """The services that are down."""
        return tuple(self._began)

    async def watch(self) -> None:
        """Look at what is down until it answers, for as long as the run lasts."""
        lines = JsonLines(self._path)
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                for service in list(self._began):
                    if await reaches(self._ports[service]):
                        lines.write(self._end(service, datetime.now(UTC).isoformat()))
        finally:
            for service in list(self._began):
                lines.write(self._end(service, None))
            lines.close()

    def _end(self, service: str, moment: str | None) -> dict[str, str | None]:
        return {"service": service, "began": self._began.pop(service), "ended": moment}
