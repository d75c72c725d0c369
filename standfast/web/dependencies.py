"""What the web application is made of; each part is given, none is made here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.runtime.commands import CommandClient
from standfast.freshness import Freshness
from standfast.web.page_cache import PageCache

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from starlette.requests import Request

    from projections.heartbeat import HeartbeatWindow
    from projections.latency import LatencyWindow
    from projections.reading import Reading
    from standfast.web.access import Access, Identity
    from standfast.web.feed import Feed
    from standfast.web.head import LogHead

SOURCE = "standfast/web"


def _none_expected() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Dependencies:
    """All that routes need. `expected_services` are the ids that the configuration names.

    `freshness` gives how fresh the projections are, as of a second ago at most.
    """

    reading: Reading
    window: LatencyWindow
    heartbeats: HeartbeatWindow
    feed: Feed
    access: Access
    head: LogHead
    build: str
    platform: str
    clock: Callable[[], datetime]
    expected_services: Callable[[], Collection[str]] = field(default=_none_expected)
    freshness: Callable[[], Freshness] = Freshness
    pages: PageCache = field(default_factory=PageCache)

    def commands(self, identity: Identity) -> CommandClient:
        """Give the client that sends commands for somebody."""
        return CommandClient(
            self.head.client,
            principal=identity.principal,
            source=SOURCE,
            generation=self.head.generation,
        )


def dependencies_of(request: Request) -> Dependencies:
    """Give the parts that serve a request."""
    dependencies = request.app.state.dependencies
    assert isinstance(dependencies, Dependencies)
    return dependencies


def identity_of(request: Request) -> Identity | None:
    """Give who asks, as the guard found, or None."""
    identity: Identity | None = request.state.identity
    return identity
