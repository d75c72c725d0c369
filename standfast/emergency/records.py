"""What is kept while the log takes nothing: when that began, and what was concluded since."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AwareDatetime, Field, NonNegativeInt, TypeAdapter, ValidationError

from events.base import Excerpt, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOGGER = logging.getLogger(__name__)


class Began(Value):
    """The log takes nothing since then. `down` names what people knew to be down already."""

    kind: Literal["began"] = "began"
    outage: str
    since: AwareDatetime
    reason: str
    services: NonNegativeInt
    down: tuple[str, ...] = ()


class Concluded(Value):
    """A service went down, or is healthy again. `observed` is when the newest result was seen."""

    kind: Literal["concluded"] = "concluded"
    service: str
    verdict: Literal["healthy", "down"]
    since: AwareDatetime
    observed: AwareDatetime
    check: str = ""
    reason: str = ""
    excerpt: tuple[Excerpt, ...] = ()


Record = Began | Concluded
RECORDS: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


class Outage(Value):
    """One time without the log."""

    began: Began
    conclusions: tuple[Concluded, ...] = ()

    @property
    def id(self) -> str:
        """What tells it from every other."""
        return self.began.outage

    @property
    def newest(self) -> dict[str, Concluded]:
        """The newest conclusion about each service."""
        return {one.service: one for one in self.conclusions}

    def having(self, *conclusions: Concluded) -> Outage:
        """Give the outage with more conclusions."""
        return Outage(began=self.began, conclusions=(*self.conclusions, *conclusions))


def outage_in(records: Iterable[Any]) -> Outage | None:
    """Read the outage that a spool holds; None where it holds none. What is unreadable is left."""
    began: Began | None = None
    conclusions: list[Concluded] = []
    for content in records:
        try:
            record = RECORDS.validate_python(content)
        except ValidationError:
            _LOGGER.warning("a record of the spool can't be read and is left out")
            continue
        if isinstance(record, Began):
            began = began or record
        else:
            conclusions.append(record)
    return None if began is None else Outage(began=began, conclusions=tuple(conclusions))
