"""A checker over commits in memory, and the run that a whole outage would have left."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from events.effect import EffectIntended
from scenarios.checker.checker import Checker
from scenarios.checker.records import Delivery, Invoked, Returned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.commit import StoredCommit


def fed(commits: Iterable[StoredCommit]) -> Checker:
    """Give a checker that has seen commits."""
    checker = Checker()
    for stored in commits:
        checker.commit(stored)
    return checker


def answered(checker: Checker, command_id: str, entity: str, sequence: int) -> None:
    """Let a worker have asked for something, and have been told that it is done."""
    checker.invoked(Invoked(command_id, entity, "RequestProbe", 1.0))
    checker.returned(Returned("ok", command_id, "done", sequence, 2.0))


def deliveries(commits: Iterable[StoredCommit], after_seconds: float = 1.0) -> list[Delivery]:
    """Give what a receiver would have seen of each notice that was intended."""
    return [
        Delivery(
            receiver=str(envelope.event.intent.arguments["receiver"]),
            key=f"{envelope.entity}#{envelope.event.intent.number}",
            fence=envelope.position.sequence,
            subject=str(envelope.entity),
            status=str(envelope.event.intent.arguments["status"]),
            time=envelope.decided + timedelta(seconds=after_seconds),
        )
        for stored in commits
        for envelope in stored.envelopes()
        if isinstance(envelope.event, EffectIntended) and envelope.event.intent.effect == "notify"
    ]


def broken(checker: Checker, now: datetime) -> dict[str, list[str]]:
    """End the run, and give what broke, by invariant."""
    checker.end(now)
    found: dict[str, list[str]] = {}
    for violation in checker.violations:
        found.setdefault(violation.invariant, []).append(violation.what)
    return found
