"""The routes that only read."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response, StreamingResponse

from events.address import EntityAddress, InvalidAddressError
from projections.base import Row, moment_text
from projections.latency import LatencyWindow, points_json
from projections.metrics import MetricsSource, exposition
from projections.moments import BadMomentError, parse_moment
from projections.reading import (
    EventFilter,
    SqlJournal,
    alert_of,
    alerts,
    counts,
    declined_commands,
    events,
    faults,
    incident_of,
    incidents,
    names_near,
    notifications,
    parked_entities,
    projection_states,
    recoveries,
    recovery_of,
    service_of,
    services,
    without_verdict,
)
from projections.reading.journal import cloudevent
from standfast.web.dependencies import Dependencies, dependencies_of
from standfast.web.problems import Place, ProblemError, shown
from standfast.why import NothingKnownError, why

router = APIRouter(prefix="/api", tags=["read"])
operations = APIRouter(tags=["operations"])

SEQUENCE_MAX = 2**63 - 1
Limit = Annotated[int, Query(ge=1, le=1_000, description="how many at most")]
Id = Annotated[str, Path(max_length=600, description="the entity's id, percent-encoded")]
Word = Annotated[str, Query(max_length=200)]
Moment = Annotated[str, Query(max_length=60, description="RFC 3339, or an age as in 10m")]


def service_json(row: Row, window: LatencyWindow) -> dict[str, Any]:
    """Give a service as the API shows it, with its last probes."""
    latency = points_json(window.points(row["id"]))
    return {"name": row["id"], **{k: v for k, v in row.items() if k != "id"}, "latency": latency}


@router.get("/services")
def read_services(
    request: Request,
    retired: Annotated[bool, Query(description="with those no longer watched")] = False,  # noqa: FBT002
) -> dict[str, Any]:
    """All services: name, address, title, state, since, reason, last probes, what they need."""
    parts = dependencies_of(request)
    with parts.reading.moment() as connection:
        rows = services(connection, retired=retired)
    return {"services": [service_json(row, parts.window) for row in rows]}


@router.get("/services/{name:path}")
def read_service(request: Request, name: Id) -> dict[str, Any]:
    """One service, with the probes of each of its checks and its last incidents."""
    parts = dependencies_of(request)
    with parts.reading.moment() as connection:
        row = found_service(connection, name)
    checks = {
        check: points_json(parts.window.points(name, check)) for check in parts.window.checks(name)
    }
    return {**service_json(row, parts.window), "checks": checks}


def found_service(connection: Connection, name: str) -> Row:
    """Give a service, or raise the problem that names near ones."""
    row = service_of(connection, name)
    if row is None:
        near = names_near(connection, name)
        hint = f"; is it {' or '.join(near)}?" if near else ""
        detail = f"there is no service {shown(name)!r}{hint}"
        raise ProblemError(404, detail, [Place("path", "name", "not known")], more={"near": near})
    return row


State = Annotated[str, Query(max_length=40)]


def checked_state(state: str, valid: tuple[str, ...]) -> str:
    """Give a state that may be asked for, or raise the problem that names the valid ones."""
    if state and state not in valid:
        place = Place("query", "state", f"{shown(state)!r}; valid are {', '.join(valid)}")
        raise ProblemError(400, "no such state", [place], more={"valid": list(valid)})
    return state


@router.get("/incidents")
def read_incidents(request: Request, state: State = "", limit: Limit = 100) -> dict[str, Any]:
    """Incidents, open ones first, each with the services in it."""
    checked_state(state, ("open", "resolved"))
    with dependencies_of(request).reading.moment() as connection:
        return {"incidents": incidents(connection, state, limit)}


@router.get("/incidents/{name:path}")
def read_incident(request: Request, name: Id) -> dict[str, Any]:
    """One incident with its timeline, effects, alerts, notifications and recoveries."""
    return _found(request, incident_of, "incident", name)


@router.get("/alerts")
def read_alerts(request: Request, state: State = "", limit: Limit = 100) -> dict[str, Any]:
    """Alerts, those that fire first."""
    checked_state(state, ("firing", "acknowledged", "resolved"))
    with dependencies_of(request).reading.moment() as connection:
        return {"alerts": alerts(connection, state, limit)}


@router.get("/alerts/{name:path}")
def read_alert(request: Request, name: Id) -> dict[str, Any]:
    """One alert."""
    return _found(request, alert_of, "alert", name)


@router.get("/notifications")
def read_notifications(request: Request, limit: Limit = 100) -> dict[str, Any]:
    """Whom people's attention was asked of, and how that ended, the newest first."""
    with dependencies_of(request).reading.moment() as connection:
        return {"notifications": notifications(connection, limit)}


@router.get("/recoveries")
def read_recoveries(request: Request, state: State = "", limit: Limit = 100) -> dict[str, Any]:
    """Recoveries with their steps, the newest first."""
    with dependencies_of(request).reading.moment() as connection:
        return {"recoveries": recoveries(connection, state, limit)}


@router.get("/recoveries/{name:path}")
def read_recovery(request: Request, name: Id) -> dict[str, Any]:
    """One recovery with its steps and effects."""
    return _found(request, recovery_of, "recovery", name)


def _found(
    request: Request, ask: Callable[[Connection, str], Row | None], kind: str, name: str
) -> dict[str, Any]:
    with dependencies_of(request).reading.moment() as connection:
        row = ask(connection, name)
    if row is None:
        place = Place("path", "name", "not known")
        raise ProblemError(404, f"there is no {kind} {shown(name)!r}", [place])
    return row


@router.get("/events")
def read_events(  # noqa: PLR0913, PLR0917  (each is a filter)
    request: Request,
    kind: Word = "",
    id: Word = "",  # noqa: A002  (the filter's public name)
    type: Word = "",  # noqa: A002
    since: Moment = "",
    until: Moment = "",
    after: Annotated[int | None, Query(ge=0, le=SEQUENCE_MAX, description="a sequence")] = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Events as CloudEvents, in the log's order; without a start the newest."""
    parts = dependencies_of(request)
    wanted = EventFilter(
        kind=kind,
        id=id,
        type=type,
        since=_moment(parts, "since", since),
        until=_moment(parts, "until", until),
        after=after,
        limit=limit,
    )
    with parts.reading.moment() as connection:
        rows = events(connection, wanted)
    following = rows[-1]["sequence"] if len(rows) == limit else None
    return {"events": [cloudevent(row) for row in rows], "next": following}


def _moment(parts: Dependencies, name: str, text: str) -> str:
    """Give a moment of a query as it is stored, or raise the problem that says what is valid."""
    if not text:
        return ""
    try:
        return moment_text(parse_moment(text, parts.clock()))
    except BadMomentError as error:
        raise ProblemError(
            400, f"{name} is not a moment", [Place("query", name, str(error))]
        ) from None


@router.get("/why/{wanted:path}")
def read_why(request: Request, wanted: Id) -> dict[str, Any]:
    """The causal chain around an entity (`kind/id`) or an event (its id), both ways."""
    if "/" in wanted:
        checked_address(wanted)
    with dependencies_of(request).reading.moment() as connection:
        try:
            return why(SqlJournal(connection), wanted).as_json()
        except NothingKnownError as error:
            place = Place("path", "wanted", "an address is KIND/ID, an event is named by its id")
            raise ProblemError(404, str(error), [place]) from None


def checked_address(text: str) -> EntityAddress:
    """Give an address, or raise the problem that says what is wrong with it."""
    try:
        return EntityAddress.parse(text)
    except InvalidAddressError as error:
        place = Place("path", "address", str(error)[:300])
        raise ProblemError(400, "not an address", [place]) from None


@router.get("/projections")
def read_projections(request: Request) -> dict[str, Any]:
    """Where every projection is, how far behind the log, and what it had to leave out."""
    parts = dependencies_of(request)
    with parts.reading.moment() as connection:
        states = projection_states(connection)
        left_out = faults(connection)
    return {
        "projections": [
            {
                "name": state.name,
                "version": state.version,
                "log_id": state.log_id,
                "generation": state.generation,
                "sequence": state.sequence,
                "lag": _lag(parts, state.sequence),
                "errors": state.errors,
            }
            for state in states
        ],
        "errors": left_out,
    }


def _lag(parts: Dependencies, sequence: int) -> int | None:
    head = parts.head.sequence
    return None if head is None else max(0, head - sequence)


@router.get("/status")
def read_status(request: Request) -> dict[str, Any]:
    """All of it on one page: counts, the log, projections, processes, what is in quarantine."""
    parts = dependencies_of(request)
    with parts.reading.moment() as connection:
        found = counts(connection)
        states = projection_states(connection)
        parked = parked_entities(connection)
        declined = declined_commands(connection, limit=20)
        missing = without_verdict(connection)
    now = parts.clock().timestamp()
    reached = min((state.sequence for state in states), default=0)
    return {
        "platform": parts.platform,
        "build": parts.build,
        "counts": found,
        "log": {"reachable": parts.head.sequence is not None, "sequence": parts.head.sequence},
        "projected": {"sequence": reached, "lag": _lag(parts, reached)},
        "projection_errors": sum(state.errors for state in states),
        "without_verdict": missing,
        "parked_entities": parked,
        "declined_commands": declined,
        "processes": [
            {
                "name": heard.process,
                "build": heard.build,
                "last_heard": moment_text(heard.time),
                "age_seconds": round(max(0.0, now - heard.time.timestamp()), 3),
                "lagged": heard.lagged,
                "loop_lag_seconds": heard.lag_seconds,
            }
            for heard in parts.heartbeats.all()
        ],
    }


@router.get("/stream")
async def read_stream(
    request: Request,
    last_event_id: Annotated[int | None, Query(ge=0, le=SEQUENCE_MAX)] = None,
) -> Response:
    """Server-sent events: `change` after each projected change, `latency` after probes.

    The id of an event is the log's sequence; `Last-Event-ID` resumes after it.
    """
    header = request.headers.get("last-event-id", "")
    if header.isascii() and header.isdigit() and int(header[:20]) <= SEQUENCE_MAX:
        last_event_id = int(header[:20])
    messages = dependencies_of(request).feed.listen(last_event_id)
    if messages is None:
        raise ProblemError(503, "too many clients listen already", headers={"Retry-After": "10"})
    return StreamingResponse(messages, media_type="text/event-stream")


@operations.get("/metrics")
def read_metrics(request: Request) -> Response:
    """Prometheus metrics of every service and of Standfast itself."""
    parts = dependencies_of(request)
    source = MetricsSource(
        reading=parts.reading,
        window=parts.window,
        heartbeats=parts.heartbeats,
        build=parts.build,
        now=lambda: parts.clock().timestamp(),
        head=lambda: parts.head.sequence,
    )
    return Response(exposition(source), media_type="text/plain; version=0.0.4; charset=utf-8")
