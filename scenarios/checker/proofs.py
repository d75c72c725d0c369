"""Proofs: what a recovery says is healthy was seen so after it acted, and it ends well in truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.intents import SKEW
from events.effect import (
    EffectCancelled,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectSucceeded,
)
from events.recovery import (
    RecoveryPlanned,
    RecoveryServiceReported,
    RecoveryStepActed,
    RecoveryStepBegan,
    RecoveryStepVerified,
    RecoverySucceeded,
)
from events.service import (
    ServiceBecameHealthy,
    ServiceLostSight,
    ServiceRetired,
    ServiceWentDown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from events.base import Envelope, Event

PROVEN, SUCCEEDED = "proven", "succeeded"
_ENDS = (EffectSucceeded, EffectFailed, EffectCancelled, EffectOutcomeUnknown)


@dataclass(slots=True)
class _Act:
    """What was done to a service: where in the log it was over, and how its service was then.

    Until when it was to be proven is known once the recovery says so; when the recovery looked
    again later, how the service was by that time.
    """

    sequence: int
    was_healthy: bool
    until: datetime | None = None
    is_looked_at_again: bool = False


@dataclass(slots=True)
class _Run:
    """A recovery: its services, what it was told of them, and its last act on each."""

    services: tuple[str, ...]
    healthy: set[str]
    step: int = 0
    has_acted: bool = False
    acts: dict[str, _Act] = field(default_factory=dict)

    @property
    def service(self) -> str:
        """The service of the step that began last."""
        return self.services[self.step]


@dataclass(slots=True)
class Proofs:
    """Follows services and recoveries through the log."""

    _healthy_since: dict[str, int] = field(default_factory=dict)
    _unwell: set[str] = field(default_factory=set)
    _runs: dict[str, _Run] = field(default_factory=dict)

    def note(self, envelope: Envelope) -> Iterator[tuple[str, str]]:
        """Take an event; gives each claim that it exercises, and what is wrong, if anything is."""
        event, entity, sequence = envelope.event, envelope.entity, envelope.position.sequence
        match event:
            case ServiceBecameHealthy() | ServiceRetired():
                self._healthy_since[entity.id] = sequence
                self._unwell.discard(entity.id)
            case ServiceWentDown() | ServiceLostSight():
                self._unwell.add(entity.id)
            case RecoveryPlanned(steps=steps, healthy=healthy):
                services = tuple(step.service for step in steps)
                self._runs[entity.id] = _Run(services, set(healthy))
            case _ if entity.kind == "recovery" and entity.id in self._runs:
                run = self._runs[entity.id]
                if isinstance(event, RecoveryStepVerified):
                    yield from self._verified(run, event.service, envelope)
                elif isinstance(event, RecoverySucceeded):
                    yield SUCCEEDED, _why_not_succeeded(run)
                else:
                    self._happened(run, event, sequence)
            case _:
                pass

    def _happened(self, run: _Run, event: Event, sequence: int) -> None:
        match event:
            case RecoveryStepBegan(step=step):
                run.step, run.has_acted = step, False
            case EffectIntended():
                run.has_acted = True
            case RecoveryServiceReported(service=service, healthy=True):
                run.healthy.add(service)
            case RecoveryServiceReported(service=service):
                run.healthy.discard(service)
            case RecoveryStepActed(verify_until=until):
                self._acted(run, until)
            case _ if isinstance(event, _ENDS):
                was_healthy = run.service not in self._unwell
                run.acts[run.service] = _Act(sequence, was_healthy)
            case _:
                pass

    def _acted(self, run: _Run, until: datetime) -> None:
        act = run.acts.get(run.service)
        if act is None:
            return
        act.until = until
        if not run.has_acted:
            act.is_looked_at_again = True
            act.was_healthy = run.service not in self._unwell

    def _verified(self, run: _Run, service: str, envelope: Envelope) -> Iterator[tuple[str, str]]:
        act = run.acts.get(service)
        if act is not None:
            yield PROVEN, self._why_not_proven(run, service, act, envelope.decided)
        run.healthy.add(service)

    def _why_not_proven(self, run: _Run, service: str, act: _Act, now: datetime) -> str:
        """Say why a service was not to be believed: it became healthy since the act, or stayed so.

        To have stayed so, it must not have been reported otherwise, up to the end of its time.
        """
        if self._healthy_since.get(service, 0) > act.sequence:
            return ""
        if act.was_healthy and service in run.healthy and act.until is not None:
            is_over = now >= act.until - SKEW
            return "" if act.is_looked_at_again or is_over else _older(service, act)
        return _older(service, act)


def _older(service: str, act: _Act) -> str:
    return f"what it knows of {service} is older than its act, which was over at {act.sequence}"


def _why_not_succeeded(run: _Run) -> str:
    down = [name for name in dict.fromkeys(run.services) if name not in run.healthy]
    return f"it succeeded, and knew that {', '.join(down)} is not healthy" if down else ""
