"""The web process: it serves the application, and keeps its windows and its feed up to date."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import uvicorn

from events.reader import Start
from events.telemetry_log import HEARTBEAT, PROBE, TelemetryReader
from projections.heartbeat import HeartbeatWindow
from projections.latency import LatencyWindow
from projections.reading import Reading
from standfast.freshness import Freshness
from standfast.web.access import Access, Token
from standfast.web.api import create_app
from standfast.web.dependencies import Dependencies
from standfast.web.feed import Feed
from standfast.web.head import LogHead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator

    from events.log import Log

REFILL = timedelta(minutes=10)
FRESHNESS_SECONDS = 1.0
CLOSE_SECONDS = 2
CONNECTIONS_MAX = 1_000
KEEP_ALIVE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where to listen, who may ask, and what is shown of the platform.

    `freshness` reads how fresh the projections are; it may take a moment.
    """

    projections_url: str
    host: str = "127.0.0.1"
    port: int = 8420
    tokens: tuple[Token, ...] = ()
    platform: str = "platform"
    build: str = "unknown"
    expected_services: Callable[[], Collection[str]] = tuple
    freshness: Callable[[], Freshness] = Freshness


def utc_now() -> datetime:
    """Give the wall clock's time."""
    return datetime.now(UTC)


class _Server(uvicorn.Server):
    """A server that leaves signals to the process it serves in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class Web:
    """Serves until cancelled, or until `stop`."""

    def __init__(self, log: Log, settings: WebSettings) -> None:
        """Prepare to serve the projections of a log; the log is needed for commands and news."""
        self._log = log
        self._settings = settings
        self._reading = Reading(settings.projections_url)
        self._window = LatencyWindow()
        self._heartbeats = HeartbeatWindow()
        self._feed = Feed(self._reading, self._window)
        self._head = LogHead(log)
        self._freshness = Freshness()
        self._server = _Server(self._configuration())

    @property
    def ready(self) -> bool:
        """Say whether the port is open."""
        return bool(self._server.started)

    @property
    def port(self) -> int:
        """The port it listens on, once ready."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    async def run(self) -> None:
        """Serve until stopped or cancelled; requests under way are answered first.

        Raises `SystemExit` where the address is taken.
        """
        async with self._kept_up_to_date():
            serving = asyncio.create_task(self._server.serve())
            try:
                await asyncio.shield(serving)
            except asyncio.CancelledError:
                self.stop()
                await serving
                raise
            finally:
                self._reading.close()

    def stop(self) -> None:
        """Stop serving: open streams are ended first."""
        self._feed.close()
        self._server.should_exit = True

    def dependencies(self) -> Dependencies:
        """Give the parts of the application."""
        settings = self._settings
        return Dependencies(
            reading=self._reading,
            window=self._window,
            heartbeats=self._heartbeats,
            feed=self._feed,
            access=Access(settings.tokens, settings.host, time.monotonic),
            head=self._head,
            build=settings.build,
            platform=settings.platform,
            clock=utc_now,
            expected_services=settings.expected_services,
            freshness=lambda: self._freshness,
        )

    def _configuration(self) -> uvicorn.Config:
        return uvicorn.Config(
            create_app(self.dependencies()),
            host=self._settings.host,
            port=self._settings.port,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )

    @asynccontextmanager
    async def _kept_up_to_date(self) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self._feed.run(self._log.client)),
            asyncio.create_task(self._head.watch()),
            asyncio.create_task(self._read_telemetry()),
            asyncio.create_task(self._keep_fresh()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_fresh(self) -> None:
        """Look how fresh all is; when that turns, every open page looks anew."""
        while True:
            found = await asyncio.to_thread(self._settings.freshness)
            if self._head.is_silent and not found.reasons:
                found = found.because("the log does not answer", self._head.heard)
            if found != self._freshness:
                self._freshness = found
                self._feed.look_anew("how fresh all is has changed")
            await asyncio.sleep(FRESHNESS_SECONDS)

    async def _read_telemetry(self) -> None:
        """Fill the windows from the last minutes, then from what comes."""
        filters = [f"sft.{PROBE}.>", f"sft.{HEARTBEAT}.>"]
        start = Start(time=utc_now() - REFILL)
        async for batches in TelemetryReader(self._log.client, filters, start).batches():
            for stored in batches:
                if stored.subject.startswith(f"sft.{PROBE}."):
                    self._window.add(stored.batch)
                else:
                    self._heartbeats.add(stored.batch)
