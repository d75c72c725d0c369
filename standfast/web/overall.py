"""The routes about all of it: events, causes, projections, status, the stream and metrics."""

from collections import Counter
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from projections.base import moment_text
from projections.metrics import MetricsSource, exposition
from projections.reading import (
    EventFilter,
    SqlJournal,
    counts,
    declined_commands,
    events,
    faults,
    parked_entities,
    projection_states,
    services,
    without_verdict,
)
from projections.reading.journal import cloudevent
from standfast.web.dependencies import Dependencies, dependencies_of
from standfast.web.parameters import (
    SEQUENCE_MAX,
    Id,
    Limit,
    Moment,
    Sequence,
    Word,
    checked_address,
    checked_moment,
)
from standfast.web.problems import Place, ProblemError
from standfast.why import NothingKnownError, why

router = APIRouter(prefix="/api", tags=["read"])
operations = APIRouter(tags=["operations"])


@router.get("/events")
def read_events(  # noqa: PLR0913, PLR0917  (each is a filter)
    request: Request,
    kind: Word = "",
    id: Word = "",  # noqa: A002  (the filter's public name)
    type: Word = "",  # noqa: A002
    since: Moment = "",
    until: Moment = "",
    after: Sequence = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Events as CloudEvents, in the log's order; without a start the newest."""
    parts = dependencies_of(request)
    wanted = EventFilter(
        kind=kind,
        id=id,
        type=type,
        since=checked_moment(parts, "since", since),
        until=checked_moment(parts, "until", until),
        after=after,
        limit=limit,
    )
    with parts.reading.moment() as connection:
        rows = events(connection, wanted)
    following = rows[-1]["sequence"] if len(rows) == limit else None
    return {"events": [cloudevent(row) for row in rows], "next": following}


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
        if parts.freshness().reasons:
            rows = parts.freshness().of(services(connection, retired=True))
            found["services"] = dict(Counter(row["state"] for row in rows))
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
        "stale": list(parts.freshness().reasons),
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
    last_event_id: Sequence = None,
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
        known=parts.freshness().of,
    )
    return Response(exposition(source), media_type="text/plain; version=0.0.4; charset=utf-8")
