"""The pages: plain HTML that is whole without a script, and live with one."""

import asyncio
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from projections.base import Row
from projections.reading import (
    SqlJournal,
    alerts,
    incident_of,
    incidents,
    notifications,
    projection_states,
    services,
)
from standfast.freshness import Freshness
from standfast.web.access import COOKIE, Scope
from standfast.web.dependencies import Dependencies, dependencies_of, identity_of
from standfast.web.guard import session_cookie, too_large
from standfast.web.parameters import Id
from standfast.web.problems import ProblemError, shown
from standfast.web.reads import found_service
from standfast.web.rendering import STATIC, render
from standfast.web.spark import spark
from standfast.web.view import headline, lines, service_views, stages
from standfast.why import NothingKnownError, why

router = APIRouter(include_in_schema=False)

SERVICES_MAX = 1_000
INCIDENTS_MAX = 8
TOLD_MAX = 12
FORM_BYTES_MAX = 4 * 1024
REFUSAL_SECONDS = 0.5


@router.get("/")
def overview(request: Request, q: Annotated[str, Query(max_length=200)] = "") -> Response:
    """How everything is, what failed, who was told."""
    parts = dependencies_of(request)
    common = _common(request)
    freshness = parts.freshness()
    key = (q, freshness, *common.values())
    return HTMLResponse(parts.pages.get(key, lambda: _overview(parts, freshness, common, q)))


def _overview(parts: Dependencies, freshness: Freshness, common: dict[str, Any], q: str) -> bytes:
    with parts.reading.moment() as connection:
        rows = freshness.of(services(connection))
        found = [whole(connection, row) for row in incidents(connection, limit=INCIDENTS_MAX)]
        told = notifications(connection, TOLD_MAX)
        fired = alerts(connection, limit=TOLD_MAX)
        warnings = [*_stale(freshness), *_left_out(connection)]
    known = {row["id"]: row for row in rows}
    chosen = [r for r in rows if q.lower() in f"{r['id']} {r['title']}".lower()]
    page = render(
        "overview.html",
        **common,
        headline=headline(rows, found),
        services=service_views(chosen[:SERVICES_MAX], known, parts.window),
        services_hidden=max(0, len(chosen) - SERVICES_MAX),
        services_total=len(rows),
        filter=q,
        incidents=found,
        titles={row["id"]: row["title"] for row in rows},
        alerts=fired,
        notifications=told,
        warnings=warnings,
    )
    return bytes(page.body)


def whole(connection: Connection, row: Row) -> dict[str, Any]:
    """Give an incident with its stages and lines."""
    incident = incident_of(connection, row["id"])
    assert incident is not None, "both questions are of one moment"
    return {**incident, "stages": stages(incident), "lines": lines(incident)}


def _common(request: Request) -> dict[str, Any]:
    """Give what every page shows."""
    parts = dependencies_of(request)
    identity = identity_of(request)
    return {
        "platform": parts.platform,
        "build": parts.build,
        "sequence": parts.feed.sequence,
        "may_operate": identity is not None and identity.scope >= Scope.OPERATE,
        "session": not parts.access.open,
        "principal": identity.principal if identity else "",
    }


def _stale(freshness: Freshness) -> list[str]:
    """Say why the page may be old, and who was told of what without the log."""
    as_of = f"; what you see is as of {freshness.as_of}" if freshness.as_of else ""
    reasons = [f"{one[0].upper()}{one[1:]}{as_of}." for one in freshness.reasons]
    return reasons + [
        f"{page.summary} (told {', '.join(page.heard) or 'nobody yet'})" for page in freshness.pages
    ]


def _left_out(connection: Connection) -> list[str]:
    errors = sum(state.errors for state in projection_states(connection))
    if not errors:
        return []
    return [f"{errors} events could not be taken in; /api/projections says which."]


@router.get("/incidents/{name:path}")
def incident_page(request: Request, name: Id) -> Response:
    """One incident: its stages, its timeline, and why."""
    parts = dependencies_of(request)
    with parts.reading.moment() as connection:
        row = incident_of(connection, name)
        if row is None:
            raise ProblemError(404, f"there is no incident {shown(name)!r}")
        titles = {s["id"]: s["title"] for s in services(connection, retired=True)}
        try:
            chain = why(SqlJournal(connection), row["address"])
        except NothingKnownError:
            chain = None
    return render(
        "incident.html",
        **_common(request),
        incident={**row, "stages": stages(row), "lines": lines(row)},
        titles=titles,
        chain=chain,
    )


@router.get("/services/{name:path}")
def service_page(request: Request, name: Id) -> Response:
    """One service: its probes, its settings, its incidents, and why it is as it is."""
    parts = dependencies_of(request)
    with parts.reading.moment() as connection:
        freshness = parts.freshness()
        (row,) = freshness.of([found_service(connection, name)])
        known = {s["id"]: s for s in freshness.of(services(connection, retired=True))}
        found = [
            incident
            for incident in incidents(connection, limit=100)
            if any(member["service"] == row["id"] for member in incident["members"])
        ]
        try:
            chain = why(SqlJournal(connection), row["address"])
        except NothingKnownError:
            chain = None
    return render(
        "service.html",
        **_common(request),
        service=service_views([row], known, parts.window)[0],
        checks=[
            (check, spark(parts.window.values(name, check["name"])))
            for check in row["settings"].get("checks", [])
        ],
        needed_by=[s for s in known.values() if row["id"] in s["depends_on"]],
        incidents=found[:INCIDENTS_MAX],
        titles={s["id"]: s["title"] for s in known.values()},
        chain=chain,
    )


@router.get("/static/{name}")
async def static_file(name: str) -> Response:
    """A style sheet, a script, a picture."""
    found = STATIC.get(name)
    if found is None:
        raise ProblemError(404, f"there is no file {shown(name)!r}")
    return Response(found.content, media_type=found.media_type, headers={"ETag": found.digest})


@router.get("/login")
async def login_page(request: Request, next: str = "/") -> Response:  # noqa: A002  (its public name)
    """A form for a token."""
    return render("login.html", platform=dependencies_of(request).platform, next=next, wrong=False)


@router.post("/login")
async def login(request: Request) -> Response:
    """Begin a session for a token's owner."""
    parts = dependencies_of(request)
    fields = await _form(request)
    target = fields.get("next", "/")
    identity = parts.access.by_token(fields.get("token", ""))
    if identity is None:
        await asyncio.sleep(REFUSAL_SECONDS)
        return render("login.html", 401, platform=parts.platform, next=target, wrong=True)
    response = RedirectResponse(_own_path(target), 303)
    secret = parts.access.begin_session(identity)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, secret, httponly=True, samesite="strict", secure=secure)
    return response


@router.post("/logout")
async def logout(request: Request) -> Response:
    """End a session."""
    secret = session_cookie(request.headers.get("cookie", ""))
    dependencies_of(request).access.end_session(secret)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response


def _own_path(target: str) -> str:
    """Give a path of this site; nobody is sent elsewhere."""
    plain = target.isascii() and target.isprintable() and "\\" not in target
    return target if plain and target.startswith("/") and target[1:2] != "/" else "/"


async def _form(request: Request) -> dict[str, str]:
    payload = b""
    async for part in request.stream():
        payload += part
        if len(payload) > FORM_BYTES_MAX:
            raise too_large()
    try:
        fields = parse_qs(payload.decode("ascii"), max_num_fields=10)
    except ValueError:
        raise ProblemError(400, "the form cannot be read") from None
    return {name: values[0] for name, values in fields.items()}
