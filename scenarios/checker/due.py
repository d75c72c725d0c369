"""Fifth: nothing due is forgotten, and no outage of the path stays silent."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from actors.intents import SKEW
from events.host import HostClockStepped
from scenarios.checker.broken_times import TO_A_PERSON, BrokenTimes
from scenarios.checker.invariant import Invariant
from scenarios.checker.mending import Gap, Mending
from scenarios.checker.noticing import Noticing
from scenarios.checker.owners import Owners

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.address import EntityAddress
    from scenarios.checker.invariant import Landed
    from scenarios.checker.records import Injected, Outage

LATE = timedelta(seconds=10)
DETECTED_WITHIN = timedelta(seconds=20)
"""An outage that was shorter may have been over before it was known; of others people are told."""

TELLING = ("service", "incident", "alert", "policy")
"""The kinds whose hosts take part from a failed probe to the wish that a person is told."""

MENDING = ("service", "incident", "policy", "recovery")
"""The kinds whose hosts take part from what is down to the recovery that is to mend it."""

TIMERS, IN_TIME, OUTAGES = "timers", "timers in time", "outages told"
MENDED, MENDED_AGAIN = "mended", "mended again"


@dataclass(frozen=True, slots=True)
class _Armed:
    """When an entity is due, and since when it is known."""

    due: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class _Delay:
    """Something that was due and was done, some time after it could have been."""

    entity: EntityAddress
    due: datetime
    possible: datetime
    done: datetime
    sequence: int
    by: str


@dataclass(slots=True)
class Due(Invariant):
    """Follows when each entity is due, outages to whoever was told, and failures to their mending.

    `late` is how much later than due something may be done while nothing is broken, and how long
    after a fault all may take to be right again. Where no journal was given, nobody knows what was
    broken when: then only what is still due at a quiet moment is late.
    """

    name: ClassVar[str] = "due"
    claims: ClassVar[tuple[str, ...]] = (TIMERS, IN_TIME, OUTAGES, MENDED, MENDED_AGAIN)
    late: timedelta = LATE
    detected_within: timedelta = DETECTED_WITHIN
    _due: dict[EntityAddress, _Armed] = field(default_factory=dict)
    _heap: list[tuple[datetime, EntityAddress]] = field(default_factory=list)
    _delays: list[_Delay] = field(default_factory=list)
    _broken: BrokenTimes = field(init=False)
    _owners: Owners = field(default_factory=Owners)
    _since: datetime | None = None
    _noticing: Noticing = field(default_factory=Noticing)
    _outages: list[Outage] = field(default_factory=list)
    _mending: Mending = field(default_factory=Mending)

    def __post_init__(self) -> None:
        """Begin with nothing broken."""
        self._broken = BrokenTimes(self.late)

    def journal(self, faults: Iterable[Injected], since: datetime) -> None:
        """Take all that was broken, and when; what is late from then on has no other excuse."""
        self._since = since
        self._broken.injected(faults)

    def commit(self, landed: Landed) -> None:
        """What a timer did was due, and is done."""
        commit = landed.stored.commit
        armed = self._due.get(commit.entity)
        if _is_of_a_timer(landed):
            if armed is None or commit.decided < armed.due - SKEW:
                due = None if armed is None else armed.due
                what = f"a timer did something at {commit.decided}, which was due at {due}"
                self.broken(landed.entity, landed.sequence, what)
            else:
                self.exercise(TIMERS)
        for envelope in landed.envelopes:
            self._noticing.note(envelope)
            self._owners.note(envelope)
            self._mending.note(envelope)
            if isinstance(envelope.event, HostClockStepped):
                by = timedelta(seconds=envelope.event.offset_seconds)
                self._broken.clock_stepped(envelope.decided, by)

    def folded(self, landed: Landed) -> None:
        """Note when the entity is due now; if it was due before, that is done."""
        entity, decided = landed.stored.commit.entity, landed.stored.commit.decided
        armed, due = self._due.get(entity), self.folding.due(entity)
        if armed is not None and armed.due == due:
            return
        if armed is not None:
            possible = max(armed.due, armed.since)
            if decided >= armed.due and self._since is not None and possible >= self._since:
                by = landed.stored.commit.origins[0].principal.removeprefix("host:")
                delay = _Delay(entity, armed.due, possible, decided, landed.sequence, by)
                self._delays.append(delay)
            del self._due[entity]
        if due is not None:
            self._due[entity] = _Armed(due, decided)
            heapq.heappush(self._heap, (due, entity))

    def moment(self, now: datetime) -> None:
        """Name what is due for too long."""
        while self._heap and self._heap[0][0] < now - self.late:
            due, entity = heapq.heappop(self._heap)
            armed = self._due.get(entity)
            if armed is not None and armed.due == due:
                sequence = 0
                what = f"it was due at {due} and nothing was done by {now}"
                self.broken(str(entity), sequence, what)

    def out(self, outage: Outage) -> None:
        """Keep it until all is read."""
        self._outages.append(outage)

    def end(self, now: datetime) -> None:
        """Nothing is overdue or was done late; outages were told, and what may be was mended."""
        self.moment(now)
        self._noticing.settle(now)
        for delay in self._delays:
            self._compare_delay(delay)
        for outage in self._outages:
            self._compare_outage(outage, outage.ended or now)
        for gap in self._mending.gaps:
            self._compare_gap(gap, now)
        self._delays.clear()
        self._outages.clear()
        self._mending.gaps.clear()

    def _compare_delay(self, delay: _Delay) -> None:
        parts = self._owners.of(delay.entity) | {delay.by}
        broken = self._broken.within(delay.possible, delay.done, parts)
        if not broken:
            self.exercise(IN_TIME)
        late = delay.done - delay.possible - broken
        if late > self.late:
            what = f"it was due at {delay.due}, and done at {delay.done}: {late} late"
            self.broken(str(delay.entity), delay.sequence, what)

    def _compare_gap(self, gap: Gap, now: datetime) -> None:
        """Somebody must begin to mend what is down as soon as nothing is broken that this takes."""
        if gap.by:
            self.exercise(MENDED if gap.by == 1 else MENDED_AGAIN)
        if self._since is None and gap.ended is not None:
            return  # what was broken meanwhile is not known
        ended = gap.ended or now
        late = self._broken.after(gap.began, self.late, self._owners.of_kinds(MENDING))
        if ended > late:
            what = f"{gap.services} was down, and from {gap.began} to {ended} nothing mended it"
            self.broken(f"incident/{gap.incident}", gap.sequence, what)

    def _compare_outage(self, outage: Outage, ended: datetime) -> None:
        deadline = self._deadline(outage)
        if deadline > ended:
            return  # it was over before it had to be known
        first, last = outage.began - SKEW, deadline
        if self._since is None:  # what was broken meanwhile is not known
            first, last = outage.began - self.detected_within, ended + self.detected_within
        asked = (outage.service, first, last)
        self.exercise(OUTAGES)
        if not self._noticing.is_known(*asked):
            self._silent(outage, ended, "the log is silent")
        elif not self._noticing.is_alerted(*asked):
            self._silent(outage, ended, "no alert speaks of it")
        elif not self._noticing.is_told(*asked):
            self._silent(outage, ended, "its alert reached nobody, and the log does not say why")

    def _deadline(self, outage: Outage) -> datetime:
        """Give when an outage must be known and told: all on the way was well for long enough."""
        parts = TO_A_PERSON | self._owners.of_kinds(TELLING)
        return self._broken.after(outage.began, self.detected_within, parts)

    def _silent(self, outage: Outage, ended: datetime, why: str) -> None:
        what = f"it was out from {outage.began} to {ended}, and {why}"
        self.broken(f"service/{outage.service}", 0, what)


def _is_of_a_timer(landed: Landed) -> bool:
    """Say whether a commit is what a host's own timer asked for, and nothing else."""
    origins = landed.stored.commit.origins
    kind = landed.stored.commit.entity.kind
    if len(origins) != 1 or kind in ("host", "policy"):
        return False
    return origins[0].principal.startswith("host:") and not _is_parking(landed)


def _is_parking(landed: Landed) -> bool:
    return any(fact.type.startswith("standfast.entity.") for fact in landed.stored.commit.facts)
