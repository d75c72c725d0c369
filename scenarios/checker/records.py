"""What a run leaves in its directory, line by line, and how strictly it is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

Return = Literal["ok", "fail", "unknown"]


class UnusableRunError(ValueError):
    """The directory does not hold a run, or holds one that can't be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Invoked:
    """A worker asked for something. `monotonic` is in seconds of the worker's own clock."""

    command_id: str
    entity: str
    command: str
    monotonic: float


@dataclass(frozen=True, slots=True)
class Returned:
    """What a worker was told: `ok` was accepted, `fail` refused, and of `unknown` nobody knows."""

    kind: Return
    command_id: str
    outcome: str
    sequence: int
    monotonic: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """One entry of a receiver's ledger, written before it answered.

    `fence` is the sequence of the commit that wished it; `subject` the alert, or the service that
    an action was done to.
    """

    receiver: str
    key: str
    fence: int
    subject: str
    status: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault: wall-clock times, and how many commands were under way as it began."""

    number: int
    fault: str
    target: str
    began: datetime
    ended: datetime | None
    in_flight: int


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which a service truly did not answer; `ended` is None while it lasts."""

    service: str
    began: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class KnownState:
    """An entity as a host knew it (`live`), or as a new reading of the log gave it (`rebuilt`)."""

    entity: str
    sequence: int
    digest: str
    state: str
    marks: Mapping[str, int]
    source: str


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the lines of a file with their numbers. A last line that a kill tore is left out.

    Raises `UnusableRunError` at any other line that is no JSON object.
    """
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except ValueError as error:
            if _is_torn(line) or number == len(lines):
                continue
            raise UnusableRunError(f"{path.name}, line {number}: not JSON: {error}") from error
        if not isinstance(content, dict):
            raise UnusableRunError(f"{path.name}, line {number}: not an object")
        yield number, content


def _is_torn(line: bytes) -> bool:
    """Say whether a line is the beginning of one: its writer was killed, and its successor went on.

    A whole object ends with a brace.
    """
    return line.startswith(b"{") and not line.rstrip().endswith(b"}")


def read_as(path: Path, make: Callable[[dict[str, Any]], Any]) -> Iterator[Any]:
    """Make a record of each line. Raises `UnusableRunError` where one has not what it must."""
    for number, content in read_lines(path):
        try:
            yield make(content)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise UnusableRunError(f"{path.name}, line {number}: {reason}") from error


def command_line(content: dict[str, Any]) -> Invoked | Returned:
    """Read a line of a worker's history."""
    if content["type"] == "invoke":
        return Invoked(
            content["command_id"], content["entity"], content["command"], content["monotonic"]
        )
    if content["type"] not in ("ok", "fail", "unknown"):
        message = f"what came back is ok, fail or unknown, not {content['type']!r}"
        raise ValueError(message)
    return Returned(
        content["type"],
        content["command_id"],
        content["outcome"],
        content["sequence"],
        content["monotonic"],
    )


def ledger_line(receiver: str) -> Callable[[dict[str, Any]], Delivery]:
    """Give what reads a line of a receiver's ledger."""

    def read(content: dict[str, Any]) -> Delivery:
        return Delivery(
            receiver,
            content["key"],
            int(content["fence"]),
            content["alert"],
            content.get("status") or content["action"],
            datetime.fromisoformat(content["time"]),
        )

    return read


def outage_line(content: dict[str, Any]) -> Outage:
    """Read a line of the outages."""
    ended = content["ended"]
    return Outage(
        content["service"],
        datetime.fromisoformat(content["began"]),
        None if ended is None else datetime.fromisoformat(ended),
    )


def state_line(content: dict[str, Any]) -> KnownState:
    """Read a line of the states."""
    return KnownState(
        content["entity"],
        content["head"],
        content["digest"],
        content["state"],
        content["marks"],
        content["source"],
    )
