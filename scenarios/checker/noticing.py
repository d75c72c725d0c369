"""Noticing: which services the log knew to be out, and whether anybody was told."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

from events.alert import AlertFired, AlertHeard
from events.effect import EffectFailed, EffectOutcomeUnknown, EffectSucceeded
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
from scenarios.checker.spans import Spans

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from events.address import EntityAddress
    from events.base import Envelope

NO_DATA = "NoData"


@dataclass(slots=True)
class _Health:
    """What the log said of one service. A clock that was ahead put events out of their order."""

    said: list[tuple[datetime, bool]] = field(default_factory=list)
    _times: list[datetime] = field(default_factory=list)
    _is_out: list[bool] = field(default_factory=list)
    _was_out: list[bool] = field(default_factory=list)

    def settle(self) -> None:
        """Put all in the order of time, each with what was said last of all up to then."""
        places = sorted(range(len(self.said)), key=lambda place: self.said[place][0])
        for place, last in zip(places, accumulate(places, max), strict=True):
            time, is_out = self.said[place]
            self._times.append(time)
            self._is_out.append(is_out)
            self._was_out.append(self.said[last][1])

    def is_out(self, first: datetime, last: datetime) -> bool:
        """Say whether it was out when a time began, or went down in it."""
        begin, end = bisect_left(self._times, first), bisect_right(self._times, last)
        was_out = begin > 0 and self._was_out[begin - 1]
        return was_out or any(self._is_out[begin:end])


@dataclass(slots=True)
class _Firing:
    """An alert that fired; from `told` on somebody knows it, or the log says why nobody does."""

    time: datetime
    told: datetime | None


@dataclass(slots=True)
class Noticing:
    """Follows services, the incidents they belong to, and the alerts that speak of these."""

    _health: dict[str, _Health] = field(default_factory=lambda: defaultdict(_Health))
    _joined: dict[str, dict[str, datetime]] = field(default_factory=lambda: defaultdict(dict))
    _resolved: dict[str, datetime] = field(default_factory=dict)
    _alerts: dict[str, list[_Firing]] = field(default_factory=lambda: defaultdict(list))
    _firing: dict[EntityAddress, _Firing] = field(default_factory=dict)
    _blind: list[_Firing] = field(default_factory=list)
    _spoken: dict[str, Spans] = field(default_factory=dict)
    _told: dict[str, Spans] = field(default_factory=dict)

    def note(self, envelope: Envelope) -> None:
        """Take an event of the log."""
        event, entity, time = envelope.event, envelope.entity, envelope.origin.time
        match event:
            case ServiceWentDown() | ServiceLostSight():
                self._health[entity.id].said.append((time, True))
            case ServiceBecameHealthy() | ServiceRetired():
                self._health[entity.id].said.append((time, False))
            case (
                IncidentOpened(cause=service)
                | IncidentCauseChanged(cause=service)
                | IncidentEffectJoined(service=service)
            ):
                members = self._joined[service.removeprefix("service/")]
                members.setdefault(entity.id, time)
            case IncidentResolved():
                self._resolved[entity.id] = time
            case AlertFired():
                self._fired(entity, event, time)
            case AlertHeard() | EffectSucceeded() | EffectFailed() | EffectOutcomeUnknown():
                if entity in self._firing and self._firing[entity].told is None:
                    self._firing[entity].told = time
            case _:
                pass

    def _fired(self, alert: EntityAddress, event: AlertFired, time: datetime) -> None:
        firing = self._firing[alert] = _Firing(time, None if event.receivers else time)
        if event.incident:
            self._alerts[event.incident.removeprefix("incident/")].append(firing)
        elif event.labels.get("alertname") == NO_DATA:
            self._blind.append(firing)

    def settle(self, now: datetime) -> None:
        """Put all in the order of its time; call it before anything is asked."""
        for service, health in self._health.items():
            health.settle()
            self._spoken[service] = self._spans(service, now, lambda one: one.time)
            self._told[service] = self._spans(service, now, lambda one: one.told)

    def _spans(
        self, service: str, now: datetime, since: Callable[[_Firing], datetime | None]
    ) -> Spans:
        """Give the times in which an alert counted for a service, since its own moment."""
        incidents = (
            (max(joined, moment), self._resolved.get(incident, now))
            for incident, joined in self._joined.get(service, {}).items()
            for firing in self._alerts.get(incident, ())
            if (moment := since(firing)) is not None
        )
        blind = ((moment, moment) for one in self._blind if (moment := since(one)) is not None)
        return Spans.of((*(one for one in incidents if one[0] <= one[1]), *blind))

    def is_known(self, service: str, first: datetime, last: datetime) -> bool:
        """Say whether a service was known to be out some time in between."""
        health = self._health.get(service)
        return health is not None and health.is_out(first, last)

    def is_alerted(self, service: str, first: datetime, last: datetime) -> bool:
        """Say whether an alert spoke of it in between, whoever heard it."""
        return service in self._spoken and self._spoken[service].meet(first, last)

    def is_told(self, service: str, first: datetime, last: datetime) -> bool:
        """Say whether people were told of it in between, or the log says why they were not."""
        return service in self._told and self._told[service].meet(first, last)
