"""The routes that read services, incidents, alerts and recoveries."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection

from projections.base import Row
from projections.latency import LatencyWindow, points_json
from projections.reading import (
    alert_of,
    alerts,
    incident_of,
    incidents,
    names_near,
    notifications,
    recoveries,
    recovery_of,
    service_of,
    services,
)
from standfast.web.dependencies import dependencies_of
from standfast.web.parameters import Id, Limit, State, checked_state
from standfast.web.problems import Place, ProblemError, shown

router = APIRouter(prefix="/api", tags=["read"])


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
        rows = parts.freshness().of(services(connection, retired=retired))
    return {"services": [service_json(row, parts.window) for row in rows]}


@router.get("/services/{name:path}")
def read_service(request: Request, name: Id) -> dict[str, Any]:
    """One service, with the probes of each of its checks and its last incidents."""
    parts = dependencies_of(request)
    with parts.reading.moment() as connection:
        (row,) = parts.freshness().of([found_service(connection, name)])
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


@router.get("/incidents")
def read_incidents(request: Request, state: State = "", limit: Limit = 100) -> dict[str, Any]:
    """Incidents, open ones first, each with the services in it."""
    checked_state(state, ("open", "resolved"))
    with dependencies_of(request).reading.moment() as connection:
        return {"incidents": incidents(connection, state, limit)}


@router.get("/incidents/{name:path}")
def read_incident(request: Request, name: Id) -> dict[str, Any]:
    """One incident with its timeline, effects, alerts, who was told of it, and recoveries."""
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
