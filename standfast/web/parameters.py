"""What routes take: ids, limits and moments, each refused with what is valid."""

from typing import Annotated

from fastapi import Path, Query

from events.address import EntityAddress, InvalidAddressError
from projections.base import moment_text
from projections.moments import BadMomentError, parse_moment
from standfast.web.dependencies import Dependencies
from standfast.web.problems import Place, ProblemError, shown

SEQUENCE_MAX = 2**63 - 1
Limit = Annotated[int, Query(ge=1, le=1_000, description="how many at most")]
Id = Annotated[str, Path(max_length=600, description="the entity's id, percent-encoded")]
Word = Annotated[str, Query(max_length=200)]
State = Annotated[str, Query(max_length=40)]
Sequence = Annotated[int | None, Query(ge=0, le=SEQUENCE_MAX, description="of the log")]
Moment = Annotated[str, Query(max_length=60, description="RFC 3339, or an age as in 10m")]


def checked_state(state: str, valid: tuple[str, ...]) -> str:
    """Give a state that may be asked for, or raise the problem that names the valid ones."""
    if state and state not in valid:
        place = Place("query", "state", f"{shown(state)!r}; valid are {', '.join(valid)}")
        raise ProblemError(400, "no such state", [place], more={"valid": list(valid)})
    return state


def checked_address(text: str) -> EntityAddress:
    """Give an address, or raise the problem that says what is wrong with it."""
    try:
        return EntityAddress.parse(text)
    except InvalidAddressError as error:
        place = Place("path", "address", str(error)[:300])
        raise ProblemError(400, "not an address", [place]) from None


def checked_moment(parts: Dependencies, name: str, text: str) -> str:
    """Give a moment of a query as it is stored, or raise the problem that says what is valid."""
    if not text:
        return ""
    try:
        return moment_text(parse_moment(text, parts.clock()))
    except BadMomentError as error:
        place = Place("query", name, str(error))
        raise ProblemError(400, f"{name} is not a moment", [place]) from None
