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
from scenarios.simulation.journal import Journal
from scenarios.simulation.process import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.runtime.commands import Answer
    from events.address import EntityAddress
    from events.commit import Commit
    from scenarios.simulation.process import Clock
    from scenarios.simulation.stream import Stored

STEPS_KEPT = 80
"""So many steps before the one that broke something are kept, and none after it."""
DETECTED_WITHIN = timedelta(seconds=120)
LOG_ID = "simulated"


@dataclass(slots=True)
class Record:
    """All that is observed from outside. `committed` is called with each commit that lands.

    Times are those of the machine, whose clock may step. `broke` is set by the first step after
    which anything is not as it must be.
    """

    clock: Clock
    committed: list[Callable[[Commit], None]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    broke: asyncio.Event = field(default_factory=asyncio.Event)
    journal: Journal = field(init=False)
    steps: deque[str] = field(default_factory=lambda: deque(maxlen=STEPS_KEPT))
    checker: Checker = field(default_factory=lambda: Checker(detected_within=DETECTED_WITHIN))
    in_flight: int = 0
    newest: dict[EntityAddress, int] = field(default_factory=dict)
    _crashes: list[str] = field(default_factory=list)
    _digest: Any = field(default_factory=sha256)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def __post_init__(self) -> None:
        """Begin the journal, so that whatever is late from now on needs an excuse."""
        self.journal = Journal(self.now)
        self.checker.journal((), self.now())

    @property
    def digest(self) -> str:
        """The digest of all that landed in the log, in its order."""
        return str(self._digest.hexdigest())

    @property
    def is_broken(self) -> bool:
        """Say whether anything is not as it must be."""
        return self.broke.is_set()

    @property
    def broken(self) -> tuple[str, ...]:
        """Name the invariants that do not hold."""
        return tuple(one.name for one in self.checker.invariants if one.violation_count)

    @property
    def problems(self) -> tuple[str, ...]:
        """Say what is not as it must be."""
        found = (f"{one.invariant}: {one.where}: {one.what}" for one in self.checker.violations)
        return (*self._crashes, *found)

    def now(self) -> datetime:
        """Give what the machine's clock shows."""
        return BEGINNING + timedelta(seconds=self._loop.time() + self.clock.offset_seconds)

    def step(self, what: str) -> None:
        """Note a step for whoever looks into a failure."""
        if not self.broke.is_set():
            self.steps.append(f"{self._loop.time():12.4f} {what}")

    def crashed(self, what: str) -> None:
        """Note a failure that is no matter of the checker."""
        self._crashes.append(what)
        self._look()

    def strayed(self, context: dict[str, Any]) -> None:
        """Note an error that nobody waited for: it is logged and lost in a real process."""
        self.crashed(f"{context['message']}: {context.get('exception')!r}")

    def _look(self) -> None:
        """See whether all is still as it must be, after whatever was told to the checker."""
        if self.broke.is_set():
            return
        is_well = not self._crashes
        for one in self.checker.invariants:
            is_well = is_well and not one.violation_count
        if not is_well:
            self.step(f"BROKEN: {self.problems[0]}")
            self.broke.set()

    def fault(self, kind: str, target: str, what: str) -> int:
        """Note a fault that begins; gives its number in the journal."""
        self.step(f"fault: {kind} {what}")
        return self.journal.begin(kind, target, self.in_flight)

    def ended(self, name: str, error: BaseException | None, *, expected: bool) -> None:
        """Note that a part ended by itself; an error of its own is a failure of the run."""
        self.step(f"{name} ended: {error!r}")
        self.counts["parts ended"] += 1
        if not expected:
            self.crashed(f"{name} ended by an error that is its own: {error!r}")

    def stored(self, stream: str, message: Stored) -> None:
        """Take a message that landed."""
        if stream != STATE_STREAM:
            return
        self._digest.update(message.payload)
        commit = decode_commit(message.payload, entity_of(message.subject))
        self.newest[commit.entity] = message.sequence
        self.counts["commits"] += 1
        names = ", ".join(fact.type[10:-3] for fact in commit.facts)
        self.step(f"{message.sequence} {commit.entity} {names}")
        log = LogIdentity(LOG_ID, 1)
        self.checker.commit(StoredCommit(commit, message.sequence, message.payload, log))
        self._look()
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
        self._look()

    def delivered(self, delivery: Delivery) -> None:
        """Take what a receiver saw."""
        self.counts["deliveries"] += 1
        self.step(f"{delivery.receiver} saw {delivery.key} {delivery.status}")
        self.checker.delivered(delivery)
        self._look()

    def known(self, state: KnownState) -> None:
        """Take a state as it is known at the end."""
        self.checker.known(state)

    def seen(self, state: KnownState) -> None:
        """Take a state as a host knows it now, while the log is where that is."""
        self.checker.seen(state)
        self._look()

    def out(self, service: str, began: datetime, ended: datetime | None) -> None:
        """Take an outage that had to be noticed."""
        self.checker.out(Outage(service, began, ended))

    def quiet(self) -> None:
        """Take that nothing was broken for a while: what is due for long is forgotten."""
        self.checker.moment(self.now())
        self._look()

    def at_the_end(self) -> None:
        """Take that all is over, and what was broken when: only that excuses what came late."""
        self.checker.journal(self.journal.excuses(), BEGINNING)
        self.checker.end(self.now())
        self._look()
