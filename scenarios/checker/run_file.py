"""What a run says of itself, in its `run.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from scenarios.checker.records import Count, Moment, UnusableRunError

if TYPE_CHECKING:
    from pathlib import Path


Seconds = Annotated[float, Meta(ge=0, le=1e9)]


class Bounds(Struct, frozen=True):
    """What a run's settings say of how strictly it is checked; whatever else they hold is its own.

    `late_seconds` is how much later than due something may be done in it, and `detected_seconds`
    how long an outage may last before it must be known: longer where probers are hurt. None is what
    holds where nothing is said.
    """

    late_seconds: Seconds | None = None
    detected_seconds: Seconds | None = None


class Pace(Struct, frozen=True):
    """How many commands a second were to be sent while faults were injected, and how many were.

    `skipped` are those that were not sent because too many were in flight.
    """

    asked_per_second: float
    seconds: float
    invoked: Count
    skipped: Count

    @property
    def per_second(self) -> float:
        """What was achieved."""
        return self.invoked / self.seconds if self.seconds else 0.0


class RunFile(Struct, frozen=True):
    """What a run says of itself, in its `run.json`.

    `must_exercise` names the claims that it was made for (`history: chain`), None for all of them;
    `hosts` those that were asked for what they knew at the end; `build` is whose run it was, and
    `unrest` what did not come to rest after it. `faults` is how many had to have an effect, and
    `left_out` says which could not be done where it ran, and why.
    """

    format: Literal[1]
    seed: int | None
    began: Moment
    ended: Moment
    settings: Bounds
    must_exercise: tuple[str, ...] | None = None
    hosts: tuple[str, ...] = ()
    build: str = ""
    unrest: str = ""
    pace: Pace | None = None
    faults: Count = 0
    left_out: tuple[str, ...] = ()


_RUN = msgspec.json.Decoder(RunFile)


def read_run_file(path: Path) -> RunFile:
    """Read what a run says of itself. Raises `UnusableRunError`."""
    try:
        return _RUN.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise UnusableRunError(f"{path.name}: {error}") from error
