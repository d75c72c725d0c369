"""The checker: five invariants, fed with a run as it goes, or with what it left behind."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenarios.checker.acknowledged import Acknowledged
from scenarios.checker.causes import Causes
from scenarios.checker.due import DETECTED_WITHIN, LATE, Due
from scenarios.checker.folding import Folding
from scenarios.checker.history import History
from scenarios.checker.invariant import Invariant, Landed, Violation
from scenarios.checker.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from events.base import Envelope
    from events.commit import StoredCommit
    from scenarios.checker.records import (
        Delivery,
        Injected,
        Invoked,
        KnownState,
        Outage,
        Returned,
    )


@dataclass(slots=True)
class Checker:
    """Tells each invariant what happened, and folds the log beside them. All in linear time."""

    late: timedelta = LATE
    detected_within: timedelta = DETECTED_WITHIN
    folding: Folding = field(default_factory=Folding)
    invariants: tuple[Invariant, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing seen."""
        self.invariants = (
            Acknowledged(self.folding),
            History(self.folding),
            World(self.folding),
            Causes(self.folding),
            Due(self.folding, late=self.late, detected_within=self.detected_within),
        )

    @property
    def violations(self) -> list[Violation]:
        """All that broke, the first hundred of each invariant."""
        return [one for invariant in self.invariants for one in invariant.violations]

    def journal(self, faults: Sequence[Injected], since: datetime) -> None:
        """Take, before all else, what was broken from outside since the run began."""
        for invariant in self.invariants:
            invariant.journal(faults, since)

    def commit(self, stored: StoredCommit) -> None:
        """Take the next commit of the log."""
        landed = Landed(stored, tuple(_readable(stored)))
        for invariant in self.invariants:
            invariant.commit(landed)
        self.folding.take(landed)
        for invariant in self.invariants:
            invariant.folded(landed)

    def invoked(self, command: Invoked) -> None:
        """Take what a worker asked for."""
        for invariant in self.invariants:
            invariant.invoked(command)

    def returned(self, answer: Returned) -> None:
        """Take what it was answered."""
        for invariant in self.invariants:
            invariant.returned(answer)

    def delivered(self, delivery: Delivery) -> None:
        """Take what a receiver saw."""
        for invariant in self.invariants:
            invariant.delivered(delivery)

    def ledger(self, receiver: str) -> None:
        """Take that all that a receiver sees is known: what is not in its ledger it never saw."""
        for invariant in self.invariants:
            invariant.ledger(receiver)

    def asked(self, hosts: Sequence[str]) -> None:
        """Take which hosts have said all that they know."""
        for invariant in self.invariants:
            invariant.asked(hosts)

    def known(self, state: KnownState) -> None:
        """Take a state as it was known at the end."""
        for invariant in self.invariants:
            invariant.known(state)

    def seen(self, state: KnownState) -> None:
        """Take a state as a host knows it at this moment, while it is as of the newest commit."""
        for invariant in self.invariants:
            invariant.seen(state)

    def out(self, outage: Outage) -> None:
        """Take an outage."""
        for invariant in self.invariants:
            invariant.out(outage)

    def moment(self, now: datetime) -> None:
        """Take that it is so late, and nothing was broken for a while."""
        for invariant in self.invariants:
            invariant.moment(now)

    def end(self, now: datetime) -> None:
        """Take that all is over, healed and quiet."""
        for invariant in self.invariants:
            invariant.end(now)


def _readable(stored: StoredCommit) -> Iterator[Envelope]:
    """Give the events up to the first that this build can't read."""
    envelopes = stored.envelopes()
    with suppress(ValueError):
        yield from envelopes
