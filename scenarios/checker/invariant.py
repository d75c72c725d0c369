"""An invariant: it is told all that happened, counts what it compared, and keeps what broke."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from events.base import Envelope
    from events.commit import StoredCommit
    from scenarios.checker.folding import Folding
    from scenarios.checker.records import (
        Delivery,
        Injected,
        Invoked,
        KnownState,
        Outage,
        Returned,
    )

VIOLATIONS_KEPT_MAX = 100


@dataclass(frozen=True, slots=True)
class Violation:
    """What broke, where (an entity, a command's id, a sequence), and how, for a person."""

    invariant: str
    where: str
    sequence: int
    what: str


@dataclass(frozen=True, slots=True)
class Landed:
    """A commit with its events; none where this build can't read them."""

    stored: StoredCommit
    envelopes: tuple[Envelope, ...]

    @property
    def entity(self) -> str:
        """Whose it is, as `kind/id`."""
        return str(self.stored.commit.entity)

    @property
    def sequence(self) -> int:
        """Where it is in the log."""
        return self.stored.position.sequence


@dataclass(slots=True)
class Invariant:
    """What all five have in common. What does not concern one of them does nothing there.

    `claims` are the things that it says of a run; `exercised` counts for each how often the run
    could have shown that it is false.
    """

    name: ClassVar[str] = ""
    claims: ClassVar[tuple[str, ...]] = ()
    folding: Folding
    exercised: Counter[str] = field(default_factory=Counter)
    violation_count: int = 0
    violations: list[Violation] = field(default_factory=list)

    def exercise(self, claim: str) -> None:
        """Count that a claim was held against what happened."""
        assert claim in self.claims, f"{self.name} does not claim {claim!r}"
        self.exercised[claim] += 1

    def broken(self, where: str, sequence: int, what: str) -> None:
        """Keep a violation; beyond the first hundred they are only counted."""
        self.violation_count += 1
        if len(self.violations) < VIOLATIONS_KEPT_MAX:
            self.violations.append(Violation(self.name, where, sequence, what))

    def journal(self, faults: Iterable[Injected], since: datetime) -> None:
        """Be told, before all else, what was broken from outside since the run began."""

    def commit(self, landed: Landed) -> None:
        """Be told of a commit, in the order of the log; `folding` is still at the one before."""

    def folded(self, landed: Landed) -> None:
        """Be told of it again, when `folding` holds the state after it."""

    def invoked(self, command: Invoked) -> None:
        """Be told what a worker asked for."""

    def returned(self, answer: Returned) -> None:
        """Be told what it was answered."""

    def delivered(self, delivery: Delivery) -> None:
        """Be told what a receiver saw, in the order of its ledger."""

    def ledger(self, receiver: str) -> None:
        """Be told that all that a receiver sees is known."""

    def asked(self, hosts: Sequence[str]) -> None:
        """Be told which hosts said all that they know."""

    def known(self, state: KnownState) -> None:
        """Be told what a host knew at the end, or a rebuilding gave."""

    def seen(self, state: KnownState) -> None:
        """Be told what a host knows now, which is as of the newest commit."""

    def out(self, outage: Outage) -> None:
        """Be told of a time in which a service truly did not answer."""

    def moment(self, now: datetime) -> None:
        """Be told that it is so late, and that nothing was broken for a while."""

    def end(self, now: datetime) -> None:
        """Be told that all is over, healed and quiet: what is open now stays open."""
