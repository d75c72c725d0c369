"""What a run leaves in its directory, line by line, and how strictly it is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

T = TypeVar("T")
Return = Literal["ok", "fail", "unknown"]
Source = Literal["live", "rebuilt", "from checkpoints"]
SOURCES: tuple[Source, ...] = get_args(Source)
Moment = Annotated[datetime, Meta(tz=True)]
Name = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]


class UnusableRunError(ValueError):
    """The directory does not hold a run, or holds one that can't be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Invoked:
    """A worker asked for something. `monotonic` is in seconds of the worker's own clock."""

    command_id: str
    entity: str
    command: str
    monotonic: float
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Returned:
    """What a worker was told: `ok` was accepted, `fail` refused, and of `unknown` nobody knows.

    Of what was invoked and never returned nobody knows either.
    """

    kind: Return
    command_id: str
    outcome: str
    sequence: int
    monotonic: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """One entry of a receiver's ledger, written before it answered.

    `fence` is the sequence of the commit that wished it, 0 where none did; `subject` the alert, or
    the service that an action was done to.
    """

    receiver: str
    key: str
    fence: int
    subject: str
    status: str
    time: datetime
    is_action: bool = False


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault: wall-clock times, and how many commands were under way as it began.

    `effect` is how much it did (processes hit, frames lost or held, calls that failed): a fault
    that did nothing has 0, and proves and excuses nothing.
    """

    number: int
    fault: str
    target: str
    began: datetime
    ended: datetime | None
    in_flight: int
    effect: int = 1


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which a service truly did not answer; `ended` is None while it lasts."""

    service: str
    began: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class KnownState:
    """An entity as a host knew it (`live`), or as a new reading of the log gave it.

    `host` is who knew it; nothing where nobody had to.
    """

    entity: str
    sequence: int
    digest: str
    state: str
    marks: Mapping[str, int]
    source: Source
    host: str = ""


class _InvokeLine(Struct, tag_field="type", tag="invoke"):
    command_id: Name
    entity: Name
    command: Name
    monotonic: float

    def record(self, worker: str) -> Invoked:
        return Invoked(self.command_id, self.entity, self.command, self.monotonic, worker)


class _ReturnLine(Struct, tag_field="type"):
    command_id: Name
    outcome: str
    sequence: Count
    monotonic: float

    def record(self, worker: str) -> Returned:
        del worker
        kind = self.__struct_config__.tag
        return Returned(kind, self.command_id, self.outcome, self.sequence, self.monotonic)  # type: ignore[arg-type]  # the tags are its three


class _OkLine(_ReturnLine, tag="ok"):
    pass


class _FailLine(_ReturnLine, tag="fail"):
    pass


class _UnknownLine(_ReturnLine, tag="unknown"):
    pass


class _LedgerLine(Struct):
    key: str
    fence: Count
    alert: str
    time: Moment
    status: str = ""
    action: str = ""

    def record(self, receiver: str) -> Delivery:
        status = self.status or self.action
        action = bool(self.action)
        return Delivery(receiver, self.key, self.fence, self.alert, status, self.time, action)


class _OutageLine(Struct):
    service: Name
    began: Moment
    ended: Moment | None

    def record(self) -> Outage:
        return Outage(self.service, self.began, self.ended)


class _StateLine(Struct):
    entity: Name
    sequence: Count = field(name="head")
    digest: str
    state: str
    marks: dict[str, int]
    source: Source
    host: str = ""

    def record(self) -> KnownState:
        return KnownState(
            self.entity,
            self.sequence,
            self.digest,
            self.state,
            self.marks,
            self.source,
            self.host,
        )


class _FaultLine(Struct):
    number: Count
    fault: Name
    target: str
    began: float
    time: Moment
    in_flight: Count
    ended: float | None = None
    effect: Count = 1

    def record(self) -> Injected:
        lasted = None if self.ended is None else timedelta(seconds=self.ended - self.began)
        return Injected(
            self.number,
            self.fault,
            self.target,
            self.time,
            None if lasted is None else self.time + lasted,
            self.in_flight,
            self.effect,
        )


_COMMANDS = msgspec.json.Decoder(_InvokeLine | _OkLine | _FailLine | _UnknownLine)
_LEDGER = msgspec.json.Decoder(_LedgerLine)
_OUTAGES = msgspec.json.Decoder(_OutageLine)
_STATES = msgspec.json.Decoder(_StateLine)
_FAULTS = msgspec.json.Decoder(_FaultLine)


def read_commands(path: Path, worker: str = "") -> Iterator[Invoked | Returned]:
    """Read a worker's history. Raises `UnusableRunError`, as all that follow do.

    It is written as it happens, so its times only rise: with them the order of lines is that of
    what was invoked and what returned.
    """
    before = 0.0
    for one in _read(path, lambda line: _COMMANDS.decode(line).record(worker)):
        if one.monotonic < before:
            what = f"{one.command_id} at {one.monotonic} is after {before}"
            raise UnusableRunError(f"{path.name}: its times do not rise: {what}")
        before = one.monotonic
        yield one


def read_ledger(path: Path, receiver: str) -> Iterator[Delivery]:
    """Read a receiver's ledger."""
    return _read(path, lambda line: _LEDGER.decode(line).record(receiver))


def read_outages(path: Path) -> Iterator[Outage]:
    """Read what was truly out; nothing where there is no file."""
    return _read(path, lambda line: _OUTAGES.decode(line).record())


def read_states(path: Path) -> Iterator[KnownState]:
    """Read the states that were known at the end; nothing where there is no file."""
    return _read(path, lambda line: _STATES.decode(line).record())


def read_faults(path: Path) -> list[Injected]:
    """Read the injector's journal: a fault has a line when it begins, and one when it is healed."""
    read = _read(path, lambda line: _FAULTS.decode(line).record())
    return list({fault.number: fault for fault in read}.values())


def _read(path: Path, decode: Callable[[bytes], T]) -> Iterator[T]:
    """Decode line by line. What a kill tore is left out, any other bad line is an error.

    Raises `UnusableRunError`, or `OSError` for what is no file.
    """
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield decode(line)
        except msgspec.DecodeError as error:
            is_other = isinstance(error, msgspec.ValidationError)
            if not is_other and (number == len(lines) or _is_torn(line)):
                continue
            raise UnusableRunError(f"{path.name}, line {number}: {error}") from error
        except OverflowError as error:
            what = f"no clock shows its times: {error}"
            raise UnusableRunError(f"{path.name}, line {number}: {what}") from error


def _is_torn(line: bytes) -> bool:
    """Say whether a line is the beginning of one: its writer was killed, and its successor went on.

    A whole object ends with a brace.
    """
    return line.startswith(b"{") and not line.rstrip().endswith(b"}")
