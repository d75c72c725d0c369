"""Mending: what is down and may be mended is being mended, or that was tried to the end."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from events.incident import (
    IncidentCauseChanged,
    IncidentEffectJoined,
    IncidentMemberRecovered,
    IncidentOpened,
    IncidentResolved,
)
from events.platform import PlatformConfigured, PlatformSettings
from events.recovery import (
    RecoveryCancelled,
    RecoveryFailed,
    RecoveryPlanned,
    RecoveryRejected,
    RecoverySucceeded,
)
from events.service import ServiceBecameHealthy, ServiceRetired, ServiceWentDown
from events.topology import TopologyDeclared

if TYPE_CHECKING:
    from datetime import datetime

    from events.address import EntityAddress
    from events.base import Envelope, Event
    from events.topology import Node

OF_THE_POLICY = "policy:mend"


@dataclass(slots=True)
class Gap:
    """A time in which something of an incident was down, and nothing ran to mend it.

    `by` counts the recoveries of the incident up to the one that ended it; 0 where it ended
    otherwise.
    """

    incident: str
    services: str
    began: datetime
    sequence: int
    ended: datetime | None = None
    by: int = 0


@dataclass(slots=True)
class _Incident:
    """An open incident: what runs for it, whether that was tried to the end, or people have it.

    `down` are those of the failing that are down, and may be mended.
    """

    cause: str
    failing: set[str] = field(default_factory=set)
    down: dict[str, None] = field(default_factory=dict)
    runs: set[str] = field(default_factory=set)
    begun: int = 0
    is_tried: bool = False
    is_of_people: bool = False
    gap: Gap | None = None


@dataclass(slots=True)
class Mending:
    """Follows each open incident, its services, and the recoveries for it."""

    gaps: list[Gap] = field(default_factory=list)
    _settings: PlatformSettings = field(default_factory=PlatformSettings)
    _nodes: dict[str, Node] = field(default_factory=dict)
    _down: set[str] = field(default_factory=set)
    _incidents: dict[str, _Incident] = field(default_factory=dict)
    _of_service: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _incident_of: dict[str, str] = field(default_factory=dict)

    def note(self, envelope: Envelope) -> None:
        """Take an event of the log."""
        event, entity = envelope.event, envelope.entity
        match event:
            case PlatformConfigured(settings=settings):
                self._settings = settings
            case TopologyDeclared(services=services):
                self._nodes = services
            case ServiceWentDown():
                self._down.add(entity.id)
            case ServiceBecameHealthy() | ServiceRetired():
                self._down.discard(entity.id)
            case RecoveryPlanned(incident=incident):
                self._incident_of[entity.id] = incident
            case _:
                pass
        for name in sorted(self._concerned(entity)):
            self._take(name, envelope)

    def _concerned(self, entity: EntityAddress) -> set[str]:
        match entity.kind:
            case "service":
                return self._of_service[entity.id]
            case "incident":
                return {entity.id}
            case "recovery":
                return {self._incident_of.get(entity.id, "")}
            case _:
                return set()

    def _take(self, name: str, envelope: Envelope) -> None:
        event = envelope.event
        if isinstance(event, IncidentOpened):
            self._incidents[name] = _Incident(event.cause)
            self._join(name, event.cause)
        incident = self._incidents.get(name)
        if incident is None:
            return
        if isinstance(event, IncidentResolved):
            self._close(incident, envelope, 0)
            del self._incidents[name]
            for service in incident.failing:
                self._of_service[service].discard(name)
            return
        self._change(name, incident, envelope)
        self._look(name, incident, envelope)

    def _change(self, name: str, incident: _Incident, envelope: Envelope) -> None:
        event, entity = envelope.event, envelope.entity
        match event:
            case IncidentCauseChanged(cause=cause):
                incident.cause = cause
                incident.is_tried = incident.is_of_people = False
                self._join(name, cause)
            case IncidentEffectJoined(service=service):
                self._join(name, service)
            case IncidentMemberRecovered(service=service):
                incident.failing.discard(service)
                incident.down.pop(service, None)
                self._of_service[service].discard(name)
            case ServiceWentDown():
                self._fail(incident, entity.id)
            case ServiceBecameHealthy() | ServiceRetired():
                incident.down.pop(entity.id, None)
                if entity.id == incident.cause:
                    incident.is_tried = False
            case _:
                _run(incident, event, entity.id)

    def _join(self, name: str, service: str) -> None:
        incident = self._incidents[name]
        incident.failing.add(service)
        self._of_service[service].add(name)
        if service in self._down:
            self._fail(incident, service)

    def _fail(self, incident: _Incident, service: str) -> None:
        node = self._nodes.get(service)
        if node is not None and node.recovery is not None:
            incident.down[service] = None

    def _look(self, name: str, incident: _Incident, envelope: Envelope) -> None:
        """See whether somebody must begin to mend it now, or need no more."""
        services = self._unmended(incident)
        if services and incident.gap is None:
            incident.gap = Gap(name, services, envelope.decided, envelope.position.sequence)
            self.gaps.append(incident.gap)
        elif not services:
            self._close(incident, envelope, incident.begun if incident.runs else 0)

    def _close(self, incident: _Incident, envelope: Envelope, by: int) -> None:
        if incident.gap is not None:
            incident.gap.ended, incident.gap.by = envelope.decided, by
            incident.gap = None

    def _unmended(self, incident: _Incident) -> str:
        """Name what is down, may be mended, and is not; effects are mended where no person asks."""
        if incident.runs or incident.is_tried or incident.is_of_people:
            return ""
        node = self._nodes.get(incident.cause)
        if node is None or node.recovery is None:
            return ""
        if incident.cause in incident.down:
            return incident.cause
        mends_effects = self._settings.recovery_mode == "automatic"
        return next(iter(incident.down), "") if mends_effects else ""


def _run(incident: _Incident, event: Event, recovery: str) -> None:
    match event:
        case RecoveryPlanned(mode="shadow"):
            incident.is_of_people = True
        case RecoveryPlanned():
            incident.runs.add(recovery)
            incident.begun += 1
        case RecoverySucceeded() | RecoveryCancelled(by="policy:mend"):
            incident.runs.discard(recovery)
        case RecoveryFailed():
            incident.runs.discard(recovery)
            incident.is_tried = True
        case RecoveryCancelled() | RecoveryRejected():
            incident.runs.discard(recovery)
            incident.is_of_people = True
        case _:
            pass
