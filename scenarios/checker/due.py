"""Fifth: nothing due is forgotten, and no outage of the path stays silent."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from actors.intents import SKEW
from events.alert import AlertFired
from events.incident import (
    IncidentCauseChanged,
    IncidentEffectJoined,
    IncidentOpened,
    IncidentResolved,
)
from events.service import (
    ServiceBecameHealthy,
    ServiceLostSight,
    ServiceRetired,
    ServiceWentDown,
)
from scenarios.checker.invariant import Invariant

if TYPE_CHECKING:
    from events.address import EntityAddress
    from events.base import Envelope
    from scenarios.checker.invariant import Landed
    from scenarios.checker.records import Outage

LATE = timedelta(seconds=10)
DETECTED_WITHIN = timedelta(seconds=20)
"""An outage that was shorter may have been over before it was known; of others people are told."""


@dataclass(slots=True)
class Due(Invariant):
    """Follows when each entity is due, and outages to whoever was told.

    `late` is how much later than due something may be done while nothing is broken.
    """

    name: ClassVar[str] = "due"
    late: timedelta = LATE
    detected_within: timedelta = DETECTED_WITHIN
    _due: dict[EntityAddress, datetime] = field(default_factory=dict)
    _heap: list[tuple[datetime, EntityAddress]] = field(default_factory=list)
    _health: dict[str, list[tuple[datetime, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _members: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    _resolved: dict[str, datetime] = field(default_factory=dict)
    _alerted: set[str] = field(default_factory=set)
    _blind: list[datetime] = field(default_factory=list)
    _outages: list[Outage] = field(default_factory=list)

    def commit(self, landed: Landed) -> None:
        """What a timer did was due, and is done."""
        commit = landed.stored.commit
        due = self._due.get(commit.entity)
        if _is_of_a_timer(landed):
            if due is None or commit.decided < due - SKEW:
                what = f"a timer did something at {commit.decided}, which was due at {due}"
                self.broken(landed.entity, landed.sequence, what)
            else:
                self.exercised += 1
        for envelope in landed.envelopes:
            self._note(envelope)

    def _note(self, envelope: Envelope) -> None:
        event, entity, time = envelope.event, envelope.entity, envelope.origin.time
        match event:
            case ServiceWentDown() | ServiceLostSight():
                self._health[entity.id].append((time, True))
            case ServiceBecameHealthy() | ServiceRetired():
                self._health[entity.id].append((time, False))
            case IncidentOpened(cause=service) | IncidentCauseChanged(cause=service):
                self._members[service.removeprefix("service/")][entity.id] = None
            case IncidentEffectJoined(service=service):
                self._members[service.removeprefix("service/")][entity.id] = None
            case IncidentResolved():
                self._resolved[entity.id] = time
            case AlertFired(incident=incident) if incident:
                self._alerted.add(incident.removeprefix("incident/"))
            case AlertFired(labels=labels) if labels.get("alertname") == "NoData":
                self._blind.append(time)
            case _:
                pass

    def folded(self, landed: Landed) -> None:
        """Note when the entity is due now."""
        entity = landed.stored.commit.entity
        due = self.folding.due(entity)
        if due is None:
            self._due.pop(entity, None)
        elif self._due.get(entity) != due:
            self._due[entity] = due
            heapq.heappush(self._heap, (due, entity))

    def moment(self, now: datetime) -> None:
        """Name what is due for too long."""
        while self._heap and self._heap[0][0] < now - self.late:
            due, entity = heapq.heappop(self._heap)
            if self._due.get(entity) == due:
                sequence = 0
                what = f"it was due at {due} and nothing was done by {now}"
                self.broken(str(entity), sequence, what)

    def out(self, outage: Outage) -> None:
        """Keep it until all is read."""
        self._outages.append(outage)

    def end(self, now: datetime) -> None:
        """Nothing is overdue, and each long outage was noticed and told."""
        self.moment(now)
        for outage in self._outages:
            ended = outage.ended or now
            if ended - outage.began >= self.detected_within:
                self.exercised += 1
                self._compare(outage, ended)
        self._outages.clear()

    def _compare(self, outage: Outage, ended: datetime) -> None:
        where = f"service/{outage.service}"
        first, last = outage.began - self.detected_within, ended + self.detected_within
        if not self._is_known(self._health.get(outage.service, []), first, last):
            what = f"it was out from {outage.began} to {ended}, and the log is silent"
            self.broken(where, 0, what)
        elif not self._is_told(outage.service, first, last):
            what = f"it was out from {outage.began} to {ended}, and no alert speaks of it"
            self.broken(where, 0, what)

    def _is_known(
        self, health: list[tuple[datetime, bool]], first: datetime, last: datetime
    ) -> bool:
        """Say whether it was noticed in between, or known to be out already when that began.

        A clock that was ahead for a while put events out of their order.
        """
        was_out = False
        for time, out in health:
            if out and first <= time <= last:
                return True
            if time < first:
                was_out = out
        return was_out

    def _is_told(self, service: str, first: datetime, last: datetime) -> bool:
        """Say whether an incident that it belonged to, and was not over, had its alert."""
        if any(first <= time <= last for time in self._blind):
            return True
        return any(
            incident in self._alerted and self._resolved.get(incident, last) >= first
            for incident in self._members.get(service, ())
        )


def _is_of_a_timer(landed: Landed) -> bool:
    """Say whether a commit is what a host's own timer asked for, and nothing else."""
    origins = landed.stored.commit.origins
    kind = landed.stored.commit.entity.kind
    if len(origins) != 1 or kind in ("host", "policy"):
        return False
    return origins[0].principal.startswith("host:") and not _is_parking(landed)


def _is_parking(landed: Landed) -> bool:
    return any(fact.type.startswith("standfast.entity.") for fact in landed.stored.commit.facts)
