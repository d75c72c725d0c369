"""The same histories in the library `eventsourcing`, on SQLite, with its default transcoder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from msgspec.structs import asdict

from events.base import Event
from events.commit import Head
from events.service import ServiceConfigured, ServiceWentDown
from standfast.bench.samples import commit_of, service

EVENTS_A_SAVE = 2_000


class Watched(Aggregate):
    """A service as our decider knows it: the same facts, each with its origin, and its state."""

    @event("Configured")
    def __init__(
        self,
        number: int,
        settings: dict[str, Any],
        configuration_hash: str,
        origin: dict[str, Any],  # noqa: ARG002  (it is stored, as ours is, and no part of the state)
    ) -> None:
        """Watch the service."""
        self.number = number
        self.settings = settings
        self.configuration_hash = configuration_hash
        self.health: tuple[str, datetime | None, str] = ("unknown", None, "")

    @staticmethod
    def create_id(number: int) -> UUID:
        """Give the id of a service."""
        return uuid5(NAMESPACE_URL, f"/bench/{number}")

    @event("WentDown")
    def go_down(
        self,
        was: str,  # noqa: ARG002  (as above)
        since: datetime,
        check: str,  # noqa: ARG002
        reason: str,
        evidence: dict[str, Any],  # noqa: ARG002
        origin: dict[str, Any],  # noqa: ARG002
    ) -> None:
        """A check failed."""
        self.health = ("down", since, reason)

    @event("BecameHealthy")
    def become_healthy(
        self,
        was: str,  # noqa: ARG002
        since: datetime,
        evidence: dict[str, Any],  # noqa: ARG002
        down_seconds: float,  # noqa: ARG002
        origin: dict[str, Any],  # noqa: ARG002
    ) -> None:
        """All checks succeed."""
        self.health = ("healthy", since, "")


def applied(history: list[Event], number: int) -> Watched:
    """Give an aggregate to which a history has happened, not saved yet."""
    first, *rest = history
    assert isinstance(first, ServiceConfigured)
    aggregate = Watched(
        number, first.settings.model_dump(), first.configuration_hash, origin_fields(number, first)
    )
    for turn, fact in enumerate(rest, 1):
        is_down = isinstance(fact, ServiceWentDown)
        happen = aggregate.go_down if is_down else aggregate.become_healthy
        happen(**fact.model_dump(), origin=origin_fields(turn, fact))
    return aggregate


def origin_fields(turn: int, fact: Event) -> dict[str, Any]:
    """Give what our commit says besides the fact: why it was decided, and by what and where."""
    commit = commit_of(service(0), Head(), fact, turn)
    why = {name: value for name, value in asdict(commit.origins[0]).items() if value is not None}
    return {**why, **asdict(commit.author)}


class Book:
    """Aggregates with one history each, in a SQLite file."""

    def __init__(self, path: Path) -> None:
        """Use a new file."""
        environment = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)}
        self._application: Application[UUID] = Application(environment)
        self._ids: list[UUID] = []

    def write(self, history: list[Event], count: int) -> None:
        """Save so many aggregates, some thousand events a time."""
        a_save = max(1, EVENTS_A_SAVE // len(history))
        for start in range(0, count, a_save):
            numbers = range(start, min(count, start + a_save))
            aggregates = [applied(history, number) for number in numbers]
            self._ids += [aggregate.id for aggregate in aggregates]
            self._application.save(*aggregates)

    def rebuild(self) -> list[Watched]:
        """Rebuild each aggregate from its events."""
        repository = self._application.repository
        rebuilt: list[Watched] = [repository.get(one) for one in self._ids]
        return rebuilt

    def close(self) -> None:
        """Let the file go."""
        self._application.close()
