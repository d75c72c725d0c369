"""The pulse: the newest heartbeat that passed prober, log and projections, in a small file.

It is written in place: a full disk does not stop it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, ValidationError

from events.base import Value

if TYPE_CHECKING:
    from pathlib import Path

BYTES = 512


class Pulse(Value):
    """When the prober sent its heartbeat, and how far the projections were when it arrived."""

    beat: AwareDatetime
    sequence: int


class PulseFile:
    """The file of one state directory."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is made with the first pulse."""
        self._path = path

    def write(self, pulse: Pulse) -> None:
        """Put a pulse in the place of the one before."""
        content = pulse.model_dump_json().encode().ljust(BYTES)
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(file, content, 0)
        finally:
            os.close(file)

    def read(self) -> Pulse | None:
        """Give the newest pulse; None where there is none that can be read."""
        try:
            return Pulse.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None
