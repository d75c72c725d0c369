"""A request's body is read within its limit, as JSON, and checked field by field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from standfast.web.guard import BODY_BYTES_MAX, too_large
from standfast.web.problems import Place, ProblemError

if TYPE_CHECKING:
    from starlette.requests import Request

M = TypeVar("M", bound=BaseModel)
DEPTH_MAX = 32


def _printable(text: str) -> str:
    if any(not character.isprintable() and character not in "\n\t" for character in text):
        raise ValueError("control characters are not allowed")
    return text


Line = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
Comment = Annotated[str, Field(max_length=2_000), AfterValidator(_printable)]


class Body(BaseModel):
    """The body of a write; fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Acknowledgement(Body):
    """Who takes an alert, and what they say about it."""

    by: Line = ""
    comment: Comment = ""


class Approval(Body):
    """Who allows a recovery."""

    by: Line = ""


class Reason(Body):
    """Who stops or refuses something, and why."""

    by: Line = ""
    reason: Comment = ""


async def read_body(request: Request, model: type[M]) -> M:
    """Read and check a body; an empty one counts as `{}`. Raises `ProblemError`."""
    content = parse(await _bytes(request))
    if not isinstance(content, dict):
        place = Place("body", "", f"a JSON object is wanted, not {type(content).__name__}")
        raise ProblemError(400, "the body is not a JSON object", [place])
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _misfit(error, model) from None


def _misfit(error: ValidationError, model: type[BaseModel]) -> ProblemError:
    places = [
        Place("body", ".".join(map(str, one["loc"]))[:100], one["msg"])
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    valid = ", ".join(model.model_fields)
    return ProblemError(422, f"the body does not fit; its fields are {valid}", places)


def parse(payload: bytes) -> Any:  # noqa: ANN401  (any JSON)
    """Parse JSON. Raises `ProblemError` with the line and column of the first error."""
    if not payload.strip():
        return {}
    try:
        text = payload.decode("utf-8")
        content = json.loads(text, parse_constant=_no_constant)
        _check_depth(content, DEPTH_MAX)
    except UnicodeDecodeError as error:
        raise _not_json(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        where = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise _not_json(where, {"line": error.lineno, "column": error.colno}) from None
    except (RecursionError, ValueError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise _not_json(why) from None
    return content


def _not_json(why: str, place: dict[str, int] | None = None) -> ProblemError:
    return ProblemError(400, "the body is not JSON", [Place("body", "", why)], more=place)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_depth(content: object, depth: int) -> None:
    if depth == 0:
        raise RecursionError
    if isinstance(content, dict | list):
        for part in content.values() if isinstance(content, dict) else content:
            _check_depth(part, depth - 1)


async def _bytes(request: Request) -> bytes:
    payload = bytearray()
    async for part in request.stream():
        payload += part
        if len(payload) > BODY_BYTES_MAX:
            raise too_large()
    return bytes(payload)
