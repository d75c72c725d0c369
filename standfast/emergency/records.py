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
    """The log takes nothing since then. `down` names what people knew to be down already.

    `hangs`: its server is there and does not answer.
    """

    kind: Literal["began"] = "began"
    outage: str
    since: AwareDatetime
    reason: str
    services: NonNegativeInt
    down: tuple[str, ...] = ()
    hangs: bool = False


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


class Unkept(Value):
    """About so many conclusions did not fit: they are in memory alone, and nobody can name them."""

    kind: Literal["unkept"] = "unkept"
    conclusions: NonNegativeInt


class Returned(Value):
    """The log takes commits again, and is told now: nothing new is to be told without it."""

    kind: Literal["returned"] = "returned"


class LostAgain(Value):
    """It took nothing after all."""

    kind: Literal["lost again"] = "lost again"


Record = Began | Concluded | Unkept | Returned | LostAgain
RECORDS: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


class Outage(Value):
    """One time without the log. While it `returns` the log is told, and people are not."""

    began: Began
    conclusions: tuple[Concluded, ...] = ()
    unkept: NonNegativeInt = 0
    returns: bool = False

    @property
    def id(self) -> str:
        """What tells it from every other."""
        return self.began.outage

    @property
    def newest(self) -> dict[str, Concluded]:
        """The newest conclusion about each service."""
        return {one.service: one for one in self.conclusions}

    def after(self, *records: Concluded | Unkept | Returned | LostAgain) -> Outage:
        """Give the outage after more records."""
        conclusions = [one for one in records if isinstance(one, Concluded)]
        unkept = [one.conclusions for one in records if isinstance(one, Unkept)]
        turns = [one for one in records if isinstance(one, Returned | LostAgain)]
        return Outage(
            began=self.began,
            conclusions=(*self.conclusions, *conclusions),
            unkept=unkept[-1] if unkept else self.unkept,
            returns=isinstance(turns[-1], Returned) if turns else self.returns,
        )


def outage_in(contents: Iterable[Any]) -> Outage | None:
    """Read the outage that a spool holds; None where it holds none. What is unreadable is left."""
    records: list[Record] = []
    for content in contents:
        try:
            records.append(RECORDS.validate_python(content))
        except ValidationError:
            _LOGGER.warning("a record of the spool can't be read and is left out")
    began = next((one for one in records if isinstance(one, Began)), None)
    if began is None:
        return None
    return Outage(began=began).after(*[one for one in records if not isinstance(one, Began)])
