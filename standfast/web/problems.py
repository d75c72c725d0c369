"""Every refusal is a problem (RFC 9457): what is wrong, where, and what is valid."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from projections.reading import NotReadyError
from standfast.web.rendering import render, wants_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1
ECHO_CHARACTERS_MAX = 100
_LOGGER = logging.getLogger(__name__)


SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("in", "name", "message")},
            },
        },
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {MEDIA_TYPE: {"schema": SCHEMA}}}
    for status, description in (
        ("4XX", "The request can't be done as it is: what is wrong, and where."),
        ("5XX", "It can't be done now; Retry-After says when to ask again."),
    )
}
"""What every route may answer beside what it is for, as OpenAPI says it."""


class Place(dict[str, str]):
    """Where something is wrong: in `path`, `query`, `header` or `body`, under which name."""

    def __init__(self, within: str, name: str, message: str) -> None:
        """Name the place and say what is wrong there."""
        super().__init__({"in": within, "name": name, "message": message})


class ProblemError(Exception):
    """A request cannot be done; it is answered with this problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[Place] = (),
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Give the HTTP status, one sentence, the places, and further members."""
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self.content = problem(status, detail, errors, more)


def problem(
    status: int,
    detail: str,
    errors: Sequence[Place] = (),
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Give a problem as JSON."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **(more or {}),
    }
    return {**content, "errors": list(errors)} if errors else content


def answer(
    request: Request, content: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    """Give a problem to whoever asked: as a page to a browser, else as JSON."""
    if not wants_page(request):
        return problem_response(content, headers)
    page = render("problem.html", content["status"], problem=content)
    page.headers.update(headers or {})
    return page


def problem_response(content: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Give the response that carries a problem."""
    body = json.dumps(content, ensure_ascii=True).encode("ascii")
    return Response(body, content["status"], headers, MEDIA_TYPE)


def shown(text: str) -> str:
    """Give somebody's text as it may be repeated in an answer: short, and printable."""
    short = text[:ECHO_CHARACTERS_MAX] + ("..." if len(text) > ECHO_CHARACTERS_MAX else "")
    return short if short.isprintable() else ascii(short)[1:-1]


def add_handlers(app: FastAPI) -> None:
    """Answer every error of an application with a problem."""
    app.add_exception_handler(ProblemError, _of_problem)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(NotReadyError, _of_not_ready)
    app.add_exception_handler(Exception, _of_defect)


async def _of_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return answer(request, error.content, error.headers)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = shown(request.url.path)
    detail = {
        HTTPStatus.NOT_FOUND: f"there is nothing at {path}; /openapi.json lists what there is",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{shown(request.method)} is not possible at {path}",
    }.get(HTTPStatus(error.status_code), str(error.detail))
    return answer(request, problem(error.status_code, detail), dict(error.headers or {}))


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    places = [
        Place(str(one["loc"][0]), ".".join(map(str, one["loc"][1:])), one["msg"])
        for one in error.errors()
    ]
    wrong = ", ".join(place["name"] for place in places)
    return answer(request, problem(400, f"not valid: {wrong}", places))


async def _of_not_ready(request: Request, error: Exception) -> Response:
    detail = f"{error}; they are being built, try again"
    return answer(request, problem(503, detail), {"Retry-After": str(RETRY_SECONDS)})


async def _of_defect(request: Request, error: Exception) -> Response:
    """A defect of ours is logged whole, and told without its insides."""
    _LOGGER.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(request, problem(500, "a defect of Standfast; its log says more"))
