"""Facts and their envelopes: every event is immutable, typed, versioned and says who caused it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeAlias, TypeVar

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from events.address import EntityAddress


SECONDS_MAX = 10 * 366 * 86_400.0
PositiveSeconds = Annotated[float, Field(gt=0, le=SECONDS_MAX)]
NonNegativeSeconds = Annotated[float, Field(ge=0, le=SECONDS_MAX)]
"""Durations that can be added to a moment: ten years at most, so that no clock overflows."""

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time of which the zone is known, in what is stored."""


class Value(BaseModel):
    """An immutable value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    @classmethod
    def trusted(cls, **values: Any) -> Self:
        """Build from all fields' values, unchecked: a fact or a state held each of them before."""
        return _made(cls, values)

    def but(self, **values: Any) -> Self:
        """Give a copy with other values, trusted as those of `trusted` are."""
        return _made(type(self), self.__dict__ | values)


T = TypeVar("T", bound=Value)
_new = object.__new__
_set_values, _set_names, _set_extra, _set_private = (
    vars(BaseModel)[name].__set__
    for name in (
        "__dict__",
        "__pydantic_fields_set__",
        "__pydantic_extra__",
        "__pydantic_private__",
    )
)


def _made(kind: type[T], values: dict[str, Any]) -> T:
    made = _new(kind)
    _set_values(made, values)
    _set_names(made, _names_of(kind))
    _set_extra(made, None)
    _set_private(made, None)
    return made


@cache
def _names_of(kind: type[Value]) -> set[str]:
    """Give the names of all fields: nobody changes a frozen model's set, so one will do."""
    return set(kind.model_fields)


FENCE_BITS = 40
"""How much of a fence is the sequence: a trillion commits, and programs read 53 bits exactly."""

Registry: TypeAlias = "dict[str, type[Event]]"
_TYPE_PARTS = ("standfast", "<domain>", "<fact>", "v<number>")


class Event(Value):
    """A fact, in the past tense. Subclasses name their stored type: `class X(Event, type="...v1")`.

    Raises `TypeError` at import where the type is missing, malformed or taken.
    """

    type: ClassVar[str]
    registry: ClassVar[Registry] = {}

    def __init_subclass__(cls, *, type: str, **kwargs: Any) -> None:  # noqa: A002
        """Register the subclass under its stored type."""
        super().__init_subclass__(**kwargs)
        parts = type.split(".")
        if len(parts) != len(_TYPE_PARTS) or parts[0] != "standfast" or parts[3][:1] != "v":
            message = f"{cls.__name__}: a type is standfast.<domain>.<fact>.v<number>, not {type!r}"
            raise TypeError(message)
        if type in Event.registry:
            message = f"{cls.__name__}: the type {type} is taken by {Event.registry[type].__name__}"
            raise TypeError(message)
        cls.type = type
        Event.registry[type] = cls


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a log, under the first generation that had it: see `LogIdentity.place_of`."""

    log_id: str
    generation: int
    sequence: int


def fence_of(generation: int, sequence: int) -> int:
    """Give a number that rises with every commit, also where a restored log's sequences go back."""
    return (generation - 1) << FENCE_BITS | sequence


def generation_of(fence: int) -> int:
    """Give the generation that a fence is of."""
    return (fence >> FENCE_BITS) + 1


def named_in(generation: int, name: str) -> str:
    """Give a name that no other generation gives to something else."""
    return name if generation == 1 else f"{name}~{generation}"


class Mark(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The number that makes a policy's command count once: it rises for every policy."""

    policy: str
    number: int


class Origin(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Why events were decided: the command, who gave it, for whom, and what caused it.

    It is stored as these fields, in this order for ever.

    `time` is when it was observed in the world; the commit says when it was decided.
    """

    command_id: str
    principal: str
    source: str
    time: Moment
    correlation_id: str
    causation_id: str | None = None
    on_behalf_of: str | None = None
    traceparent: str | None = None
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event with its place in the log and all that is known about how it came to be."""

    event: Event
    id: str
    entity: EntityAddress
    position: Position
    index: int
    origin: Origin
    decided: datetime
    platform: str
    cell: str
    build: str

    def as_cloudevent(self) -> dict[str, Any]:
        """Give the event in CloudEvents 1.0 JSON form, with Standfast's extensions."""
        origin = self.origin
        extensions = {
            "correlationid": origin.correlation_id,
            "causationid": origin.causation_id,
            "traceparent": origin.traceparent,
            "onbehalfof": origin.on_behalf_of,
        }
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": origin.source,
            "type": self.event.type,
            "subject": str(self.entity),
            "time": origin.time.isoformat(),
            **{name: value for name, value in extensions.items() if value is not None},
            "sequence": self.position.sequence,
            "generation": self.position.generation,
            "logid": self.position.log_id,
            "decided": self.decided.isoformat(),
            "principal": origin.principal,
            "commandid": origin.command_id,
            "platform": self.platform,
            "cell": self.cell,
            "build": self.build,
            "datacontenttype": "application/json",
            "data": self.event.model_dump(mode="json"),
        }


class Excerpt(Value):
    """One telemetry row that a conclusion rests on, copied before the telemetry expires."""

    time: AwareDatetime
    check: str
    succeeded: bool
    duration_seconds: float
    reason: str = ""


class Evidence(Value):
    """Where in the telemetry a conclusion can be checked, and the rows that decided it."""

    stream: str
    log_id: str
    generation: int
    first: int = Field(ge=0, description="sequence of the first message it rests on")
    last: int = Field(ge=0, description="sequence of the last message it rests on")
    excerpt: tuple[Excerpt, ...] = Field(default=(), max_length=20)
