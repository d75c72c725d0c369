"""The demo's application: tasks in PostgreSQL, a count of readings in Redis, and honest health.

It starts without either, outlives the loss of both, and answers every request within two seconds.
Run as `python -m scenarios.demo.application --directory DEMO`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
from aiohttp import web
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from scenarios.demo.postgres import DATABASE, ROLE
from scenarios.demo.settings import read_settings
from scenarios.loopback import HOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from scenarios.demo.settings import Settings

STEP_TIMEOUT_SECONDS = 0.5
PART_TIMEOUT_SECONDS = 0.8
SHUTDOWN_TIMEOUT_SECONDS = 1.0
BODY_BYTES_MAX = 64_000
TITLE_LENGTH_MAX = 200
TASKS_SHOWN_MAX = 50
TASKS_KEPT_MAX = 1000
CREATE_TABLE = "CREATE TABLE IF NOT EXISTS tasks (id bigserial PRIMARY KEY, title text NOT NULL)"
SELECT_TASKS = "SELECT id, title FROM tasks ORDER BY id DESC LIMIT $1"
INSERT_TASK = "INSERT INTO tasks (title) VALUES ($1) RETURNING id"
DELETE_OLD_TASKS = "DELETE FROM tasks WHERE id <= $1"

Result = TypeVar("Result")
logger = logging.getLogger("demo.application")


class PartLostError(Exception):
    """A part the application needs did not answer in time."""

    def __init__(self, part: str, cause: BaseException) -> None:
        super().__init__(f"{part}: {type(cause).__name__} {cause}".strip())
        self.part = part


class Parts:
    """The database and the cache, each answering in time or lost."""

    def __init__(self, settings: Settings) -> None:
        self._pool = asyncpg.create_pool(
            host=HOST,
            port=settings.ports.database,
            user=ROLE,
            password=settings.database_password,
            database=DATABASE,
            min_size=0,
            max_size=4,
            timeout=STEP_TIMEOUT_SECONDS,
            command_timeout=STEP_TIMEOUT_SECONDS,
            init=_create_table,
        )
        self._cache = Redis(
            host=HOST,
            port=settings.ports.cache,
            password=settings.cache_password,
            socket_timeout=STEP_TIMEOUT_SECONDS,
            socket_connect_timeout=STEP_TIMEOUT_SECONDS,
            max_connections=20,
            retry=Retry(NoBackoff(), 1),
        )
        self._late: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Make the pool; it connects when it is first used."""
        await self._pool

    async def close(self) -> None:
        """Give all connections back at once."""
        self._pool.terminate()
        await self._cache.aclose()

    async def database(self, work: Callable[[Any], Awaitable[Result]]) -> Result:
        """Use a connection to PostgreSQL. Raises PartLostError."""

        async def use() -> Result:
            async with self._pool.acquire(timeout=STEP_TIMEOUT_SECONDS) as connection:
                try:
                    return await work(connection)
                except (TimeoutError, asyncio.CancelledError):
                    connection.terminate()  # or giving it back would wait for the server
                    raise

        return await self._in_time("database", use())

    async def cache(self, work: Callable[[Redis], Awaitable[Result]]) -> Result:
        """Use Redis. Raises PartLostError."""

        async def use() -> Result:
            return await work(self._cache)

        return await self._in_time("cache", use())

    async def _in_time(self, part: str, work: Coroutine[Any, Any, Result]) -> Result:
        """Await the work for a bounded time, whatever it does when it is cancelled."""
        task = asyncio.create_task(work)
        done, _ = await asyncio.wait({task}, timeout=PART_TIMEOUT_SECONDS)
        if not done:
            self._abandon(task)
            raise PartLostError(part, TimeoutError(f"no answer in {PART_TIMEOUT_SECONDS} s"))
        if task.cancelled():
            raise PartLostError(part, ConnectionError("the connection was ended"))
        try:
            return task.result()
        except Exception as error:  # drivers that lose their server raise all kinds of errors
            raise PartLostError(part, error) from error

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        """Cancel a task that may take its time about it; nobody waits for its result."""
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        task.add_done_callback(_ignore_result)
        task.cancel()


def _ignore_result(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


async def _create_table(connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
    await connection.execute(CREATE_TABLE)


PARTS = web.AppKey("PARTS", Parts)


async def health(request: web.Request) -> web.Response:
    """Answer 200 when both parts answer, else 503 with the parts that fail."""
    parts = request.app[PARTS]
    outcomes = await asyncio.gather(
        parts.database(lambda connection: connection.fetchval("SELECT 1")),
        parts.cache(lambda cache: cache.ping()),
        return_exceptions=True,
    )
    described = {
        name: _describe(outcome)
        for name, outcome in zip(("database", "cache"), outcomes, strict=True)
    }
    failing = [name for name, part in described.items() if not part["healthy"]]
    body = {"healthy": not failing, "failing": failing, "parts": described}
    return web.json_response(body, status=503 if failing else 200)


def _describe(outcome: object) -> dict[str, Any]:
    if isinstance(outcome, PartLostError):
        return {"healthy": False, "error": str(outcome)}
    if isinstance(outcome, BaseException):
        raise outcome
    return {"healthy": True}


async def list_tasks(request: web.Request) -> web.Response:
    """Answer the newest tasks and how often they were read."""
    parts = request.app[PARTS]
    rows = await parts.database(lambda connection: connection.fetch(SELECT_TASKS, TASKS_SHOWN_MAX))
    readings = await parts.cache(lambda cache: cache.incr("tasks:readings"))
    return web.json_response({"tasks": [dict(row) for row in rows], "readings": readings})


async def add_task(request: web.Request) -> web.Response:
    """Keep a task `{"title": text of 1 to 200 characters}`; answers 201 with its id."""
    title = _title_in(await request.text())
    if title is None:
        problem = f'expected {{"title": text of 1 to {TITLE_LENGTH_MAX} characters}}'
        return web.json_response({"error": problem}, status=400)

    async def insert(connection: Any) -> int:  # noqa: ANN401 - asyncpg has no types
        number: int = await connection.fetchval(INSERT_TASK, title)
        await connection.execute(DELETE_OLD_TASKS, number - TASKS_KEPT_MAX)
        return number

    number = await request.app[PARTS].database(insert)
    return web.json_response({"id": number, "title": title}, status=201)


def _title_in(body: str) -> str | None:
    try:
        title = json.loads(body)["title"]
    except (ValueError, KeyError, TypeError):
        return None
    is_good = isinstance(title, str) and 0 < len(title) <= TITLE_LENGTH_MAX and "\0" not in title
    return title if is_good else None


@web.middleware
async def name_lost_part(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer 503 with the name of the part that was lost."""
    try:
        return await handler(request)
    except PartLostError as error:
        logger.warning("%s %s: lost %s", request.method, request.path, error)
        return web.json_response({"error": str(error), "failing": [error.part]}, status=503)


def make_application(settings: Settings) -> web.Application:
    """Make the application; it connects to nothing until it is asked something."""
    application = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[name_lost_part])
    application.router.add_get("/health", health)
    application.router.add_get("/api/tasks", list_tasks)
    application.router.add_post("/api/tasks", add_task)

    async def with_parts(application: web.Application) -> AsyncIterator[None]:
        parts = Parts(settings)
        await parts.open()
        application[PARTS] = parts
        yield
        await parts.close()

    application.cleanup_ctx.append(with_parts)
    return application


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    settings = read_settings(parser.parse_args().directory)
    if settings is None:
        sys.stderr.write("the demo was not prepared\n")
        return 2
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    web.run_app(
        make_application(settings),
        host=HOST,
        port=settings.ports.app,
        access_log=None,
        print=None,
        shutdown_timeout=SHUTDOWN_TIMEOUT_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
