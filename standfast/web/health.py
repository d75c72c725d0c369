"""Whether this process lives, whether there is a first verdict on everything, and all in all."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from projections.reading import NotReadyError, projection_states, services
from standfast.web.dependencies import Dependencies, dependencies_of, identity_of
from standfast.web.problems import problem

router = APIRouter(tags=["operations"])
LAG_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Readiness:
    """What is ready, and what is missing: sentences, and the services without a verdict."""

    services: int
    missing: tuple[str, ...]
    reasons: tuple[str, ...]


def readiness(parts: Dependencies) -> Readiness:
    """Say whether every configured service has had a first verdict."""
    try:
        with parts.reading.moment() as connection:
            states = {row["id"]: row["state"] for row in services(connection)}
            reached = min((s.sequence for s in projection_states(connection)), default=0)
    except NotReadyError as error:
        return Readiness(0, (), (str(error),))
    expected = set(parts.expected_services()) | set(states)
    missing = sorted(name for name in expected if states.get(name, "unknown") == "unknown")
    reasons = [f"no verdict yet on {len(missing)} of {len(expected)} services"] if missing else []
    if not expected:
        reasons.append("no service is configured yet")
    if parts.head.sequence is not None and parts.head.sequence - reached > LAG_MAX:
        reasons.append(f"the projections are {parts.head.sequence - reached} commits behind")
    return Readiness(len(expected), tuple(missing), tuple(reasons))


@router.get("/livez")
async def read_livez() -> dict[str, str]:
    """200 while this process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def read_readyz(request: Request, verbose: str | None = None) -> Response:
    """200 once every configured service has had a first verdict; else 503 and what is missing."""
    found = readiness(dependencies_of(request))
    known = identity_of(request) is not None
    if not found.reasons:
        content: dict[str, Any] = {"status": "ready", "services": found.services}
        if verbose is not None and known:
            content["checks"] = _checks(dependencies_of(request))
        return JSONResponse(content)
    missing = {"missing": list(found.missing)} if known else {}
    content = problem(503, "; ".join(found.reasons), more=missing)
    return JSONResponse(content, 503, {"Retry-After": "1"}, "application/problem+json")


@router.get("/healthz")
def read_healthz(request: Request) -> Response:
    """200 while the log answers and takes commits, and projections are read and near its end."""
    parts = dependencies_of(request)
    checks = _checks(parts)
    wrong = [name for name, check in checks.items() if check != "ok"]
    shown = {"checks": checks} if identity_of(request) is not None else {}
    if wrong:
        content = problem(503, f"not well: {', '.join(wrong)}", more=shown)
        return JSONResponse(content, 503, media_type="application/problem+json")
    return JSONResponse({"status": "ok", **shown})


def _checks(parts: Dependencies) -> dict[str, str]:
    """Say of each part whether it is ok, or what is wrong with it."""
    checks = {"log": "ok" if parts.head.sequence is not None else "does not answer"}
    checks["freshness"] = "; ".join(parts.freshness().reasons) or "ok"
    try:
        with parts.reading.moment() as connection:
            states = projection_states(connection)
    except NotReadyError as error:
        return {**checks, "projections": str(error)}
    for state in states:
        behind = 0 if parts.head.sequence is None else parts.head.sequence - state.sequence
        well = behind <= LAG_MAX
        checks[f"projection {state.name}"] = "ok" if well else f"{behind} commits behind"
    return checks
