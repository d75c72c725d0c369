"""A service is unknown, watched or retired; while it is watched its health is one of four."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, assert_never

from pydantic import AwareDatetime, TypeAdapter

from actors.base import Command, Decider, Decision, Declined, Tick
from events.base import Evidence, Value
from events.service import (
    ServiceBecameHealthy,
    ServiceConfigured,
    ServiceEvent,
    ServiceLostSight,
    ServiceProbeRequested,
    ServiceRetired,
    ServiceSettings,
    ServiceWentDown,
)


class Unproven(Value):
    """No verdict has been reached since the service was configured."""


class Healthy(Value):
    """All checks succeed."""

    since: AwareDatetime


class Down(Value):
    """A check failed as often as its threshold says."""

    since: AwareDatetime
    reason: str


class NoData(Value):
    """Nobody knows. `was_down` keeps what was known before sight was lost."""

    since: AwareDatetime
    reason: str
    was_down: bool = False


Health = Unproven | Healthy | Down | NoData


class Unknown(Value):
    """The service was never configured."""


class Watched(Value):
    """The service is configured and watched."""

    settings: ServiceSettings
    configuration_hash: str
    health: Health = Unproven()


class Retired(Value):
    """The service left the configuration."""

    reason: str
    configuration_hash: str


Service = Unknown | Watched | Retired


class ConfigureService(Command):
    """Watch the service with these settings."""

    settings: ServiceSettings
    configuration_hash: str


class RetireService(Command):
    """Stop watching the service."""

    reason: str
    configuration_hash: str


class ReportHealth(Command):
    """A conclusion changed. `since` is the first probe that speaks for it.

    One that `is_past` was reached while the log could not be written: it says nothing against
    what the log knows of a later moment.
    """

    verdict: Literal["healthy", "down", "no data"]
    since: AwareDatetime
    check: str = ""
    reason: str = ""
    evidence: Evidence
    is_past: bool = False


class RequestProbe(Command):
    """Probe the service at once."""

    reason: str


def decide(state: Service, command: Command, now: datetime) -> Decision:  # noqa: C901  (one match over all of it)
    """Decide what a command means for the service. `now` is not used: times are observed ones."""
    del now
    match state, command:
        case _, Tick():
            return []
        case Watched() as watched, ConfigureService() as wish:
            return [] if watched.settings == wish.settings else [_configured(wish)]
        case ((Unknown() | Retired()), ConfigureService() as wish):
            return [_configured(wish)]
        case Watched(), RetireService(reason=reason, configuration_hash=digest):
            return [ServiceRetired(reason=reason, configuration_hash=digest)]
        case _, RetireService():
            return []
        case Watched(health=health), ReportHealth(is_past=True) as report if _knows_more(
            health, report
        ):
            return []
        case Watched(health=health), ReportHealth() as report:
            return _judge(health, report)
        case Watched(), RequestProbe(reason=reason):
            return [ServiceProbeRequested(reason=reason)]
        case _, (ReportHealth() | RequestProbe()):
            return Declined(f"the service is {type(state).__name__.lower()}, not watched")
        case _:
            return Declined(f"a service does not know {type(command).__name__}")


def _configured(wish: ConfigureService) -> ServiceConfigured:
    return ServiceConfigured(settings=wish.settings, configuration_hash=wish.configuration_hash)


def _knows_more(health: Health, report: ReportHealth) -> bool:
    return isinstance(health, Healthy | Down) and health.since > report.since


def _judge(health: Health, report: ReportHealth) -> Decision:
    was = health_name(health)
    match report.verdict, health:
        case ("healthy", Healthy()) | ("down", Down()) | ("no data", NoData()):
            return []
        case "healthy", _:
            return [_became_healthy(health, was, report)]
        case "down", _:
            return [
                ServiceWentDown(
                    was=was,
                    since=report.since,
                    check=report.check,
                    reason=report.reason,
                    evidence=report.evidence,
                )
            ]
        case _:
            return [
                ServiceLostSight(
                    was=was, since=report.since, reason=report.reason, evidence=report.evidence
                )
            ]


def _became_healthy(health: Health, was: str, report: ReportHealth) -> ServiceBecameHealthy:
    down_seconds = 0.0
    if isinstance(health, Down):
        down_seconds = max(0.0, (report.since - health.since).total_seconds())
    return ServiceBecameHealthy(
        was=was, since=report.since, evidence=report.evidence, down_seconds=down_seconds
    )


def evolve(state: Service, event: ServiceEvent) -> Service:
    """Give the state after an event."""
    match event:
        case ServiceBecameHealthy(since=since):
            return _with_health(state, Healthy.trusted(since=since))
        case ServiceWentDown(since=since, reason=reason):
            return _with_health(state, Down.trusted(since=since, reason=reason))
        case ServiceConfigured(settings=settings, configuration_hash=digest):
            health = state.health if isinstance(state, Watched) else Unproven()
            return Watched(settings=settings, configuration_hash=digest, health=health)
        case ServiceRetired(reason=reason, configuration_hash=digest):
            return Retired(reason=reason, configuration_hash=digest)
        case ServiceLostSight(since=since, reason=reason):
            was_down = isinstance(state, Watched) and is_or_was_down(state.health)
            health = NoData.trusted(since=since, reason=reason, was_down=was_down)
            return _with_health(state, health)
        case ServiceProbeRequested():
            return state
    assert_never(event)


def is_or_was_down(health: Health) -> bool:
    """Say whether the service is down, or was when it was last seen."""
    return isinstance(health, Down) or (isinstance(health, NoData) and health.was_down)


def _with_health(state: Service, health: Health) -> Service:
    if not isinstance(state, Watched):
        return state
    return state.but(health=health)


def health_name(health: Health) -> str:
    """Give the word for a health, as it is shown and stored."""
    match health:
        case Healthy():
            return "healthy"
        case Down():
            return "down"
        case NoData():
            return "no data"
        case Unproven():
            return "unknown"
    assert_never(health)


SERVICE: Decider[Service] = Decider(
    kind="service",
    initial=Unknown(),
    states=TypeAdapter(Service),
    state_version=1,
    commands=(ConfigureService, RetireService, ReportHealth, RequestProbe),
    events=(
        ServiceConfigured,
        ServiceRetired,
        ServiceBecameHealthy,
        ServiceWentDown,
        ServiceLostSight,
        ServiceProbeRequested,
    ),
    decide=decide,
    evolve=evolve,  # type: ignore[arg-type]  # the host passes only events of this kind
)
