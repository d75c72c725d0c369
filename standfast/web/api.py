"""The application: every route behind one guard, every error a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from standfast.web import health, overall, pages, reads, writes
from standfast.web.guard import Guard
from standfast.web.problems import RESPONSES, add_handlers

if TYPE_CHECKING:
    from standfast.web.dependencies import Dependencies

DESCRIPTION = """What Standfast watches, what failed and why, whom it told, how it was mended.

Times are UTC. Errors are problems (RFC 9457). Without tokens only this machine is answered;
otherwise send `Authorization: Bearer TOKEN`: reading needs the scope read, writing operate."""


ROUTERS = (
    writes.router,
    reads.router,
    overall.router,
    overall.operations,
    health.router,
    pages.router,
)


def create_app(dependencies: Dependencies) -> FastAPI:
    """Give the ASGI application over its parts."""
    app = FastAPI(
        title="Standfast",
        version=dependencies.build,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        responses=RESPONSES,
    )
    app.state.dependencies = dependencies
    for router in ROUTERS:
        app.include_router(router)
    add_handlers(app)
    app.add_middleware(Guard, access=dependencies.access)
    return app
