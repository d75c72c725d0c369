"""The record of a run: what happened step by step, and what the checker makes of it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from events.commit import StoredCommit, decode_commit
from events.identity import LogIdentity
from events.subjects import STATE_STREAM, entity_of
from scenarios.checker.checker import Checker
from scenarios.checker.records import Delivery, Invoked, KnownState, Outage, Returned
from scenarios.simulation.process import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.runtime.commands import Answer
    from events.address import EntityAddress
    from events.commit import Commit
    from scenarios.checker.invariant import Violation
    from scenarios.simulation.process import Clock
    from scenarios.simulation.stream import Stored

STEPS_KEPT = 80
DETECTED_WITHIN = timedelta(seconds=120)
LOG_ID = "simulated"
ACCEPTED, REFUSED = frozenset({"done", "unchanged", "duplicate"}), "fail"


@dataclass(slots=True)
class Record:
    """All that is observed from outside. `committed` is called with each commit that lands.

    Times are those of the machine, whose clock may step.
    """

    clock: Clock
    committed: list[Callable[[Commit], None]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    steps: deque[str] = field(default_factory=lambda: deque(maxlen=STEPS_KEPT))
    crashes: list[str] = field(default_factory=list)
    checker: Checker = field(default_factory=lambda: Checker(detected_within=DETECTED_WITHIN))
    in_flight: int = 0
    _digest: Any = field(default_factory=sha256)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    @property
    def digest(self) -> str:
        """The digest of all that landed in the log, in its order."""
        return str(self._digest.hexdigest())

    @property
    def violations(self) -> list[Violation]:
        """What broke the invariants."""
        return self.checker.violations

    @property
    def is_broken(self) -> bool:
        """Say whether anything is not as it must be."""
        return bool(self.crashes) or any(one.violation_count for one in self.checker.invariants)

    @property
    def problems(self) -> list[str]:
        """Say what is not as it must be."""
        found = [f"{one.invariant}: {one.where}: {one.what}" for one in self.violations]
        return [*self.crashes, *found]

    def now(self) -> datetime:
        """Give what the machine's clock shows."""
        return BEGINNING + timedelta(seconds=self._loop.time() + self.clock.offset_seconds)

    def step(self, what: str) -> None:
        """Note a step for whoever looks into a failure."""
        self.steps.append(f"{self._loop.time():12.4f} {what}")

    def fault(self, kind: str, what: str) -> None:
        """Note a fault."""
        self.faults[kind] += 1
        self.counts["in flight at faults"] += self.in_flight
        self.step(f"fault: {kind} {what}")

    def ended(self, name: str, error: BaseException | None, *, expected: bool) -> None:
        """Note that a part ended by itself; an error of its own is a failure of the run."""
        self.step(f"{name} ended: {error!r}")
        self.counts["parts ended"] += 1
        if not expected:
            self.crashes.append(f"{name} ended by an error that is its own: {error!r}")

    def stored(self, stream: str, message: Stored) -> None:
        """Take a message that landed."""
        if stream != STATE_STREAM:
            return
        self._digest.update(message.payload)
        commit = decode_commit(message.payload, entity_of(message.subject))
        self.counts["commits"] += 1
        names = ", ".join(fact.type[10:-3] for fact in commit.facts)
        self.step(f"{message.sequence} {commit.entity} {names}")
        log = LogIdentity(LOG_ID, 1)
        self.checker.commit(StoredCommit(commit, message.sequence, message.payload, log))
        for listener in self.committed:
            listener(commit)

    def invoked(self, command_id: str, entity: EntityAddress, command: str) -> None:
        """Take a command that was given."""
        self.counts["commands"] += 1
        self.in_flight += 1
        self.checker.invoked(Invoked(command_id, str(entity), command, self._loop.time()))

    def unanswered(self, command_id: str) -> None:
        """Take a command that nobody answered."""
        self.counts["unanswered"] += 1
        self.in_flight -= 1
        self.checker.returned(Returned("unknown", command_id, "", 0, self._loop.time()))

    def answered(self, command_id: str, answer: Answer) -> None:
        """Take what was answered."""
        self.in_flight -= 1
        kind = "ok" if answer.accepted else "fail"
        returned = Returned(
            kind,  # type: ignore[arg-type]  # one of the three
            command_id,
            str(answer.outcome),
            answer.sequence,
            self._loop.time(),
        )
        self.checker.returned(returned)

    def delivered(self, delivery: Delivery) -> None:
        """Take what a receiver saw."""
        self.counts["notices"] += 1
        self.step(f"{delivery.receiver} saw {delivery.key} {delivery.status}")
        self.checker.delivered(delivery)

    def known(self, state: KnownState) -> None:
        """Take a state as a host knows it."""
        self.checker.known(state)

    def out(self, service: str, began: datetime, ended: datetime | None) -> None:
        """Take an outage that had to be noticed."""
        self.checker.out(Outage(service, began, ended))

    def quiet(self) -> None:
        """Take that nothing was broken for a while: what is due for long is forgotten."""
        self.checker.moment(self.now())

    def at_the_end(self) -> None:
        """Take that all is over."""
        self.checker.end(self.now())
