"""What happens to a service: it is configured, judged by its checks, and retired."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, NonNegativeFloat, PositiveInt

from events.base import Event, Evidence, NonNegativeSeconds, PositiveSeconds, Value


class CheckSchedule(Value):
    """How often a check runs, and how many like results make a conclusion."""

    name: str
    interval_seconds: PositiveSeconds = 60.0
    timeout_seconds: PositiveSeconds = 10.0
    failure_threshold: PositiveInt = 3
    success_threshold: PositiveInt = 2


class HttpCheck(CheckSchedule):
    """A request to a URL; statuses from 200 to 399 are good unless others are named."""

    kind: Literal["http"] = "http"
    url: str
    method: str = "GET"
    headers: dict[str, str] = Field(default_factory=dict, description="secrets as env:NAME")
    body: str = ""
    expected_statuses: tuple[int, ...] = ()
    expected_text: str = ""


class TcpCheck(CheckSchedule):
    """A connection to a port, closed again at once."""

    kind: Literal["tcp"] = "tcp"
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)


class ProcessCheck(CheckSchedule):
    """A process that must run: a supervised child by name, or by pid file."""

    kind: Literal["process"] = "process"
    child: str = ""
    pid_file: str = ""


class CommandCheck(CheckSchedule):
    """A command with Nagios's exit codes: 0 good, 1 warning, 2 critical, 3 unknown."""

    kind: Literal["command"] = "command"
    command: tuple[str, ...] = Field(min_length=1)
    environment: dict[str, str] = Field(default_factory=dict, description="secrets as env:NAME")


Check = Annotated[HttpCheck | TcpCheck | ProcessCheck | CommandCheck, Field(discriminator="kind")]


class ChildProcess(Value):
    """A process that Standfast starts and keeps, as recovery of its service.

    One that a recovery starts finds `STANDFAST_SERVICE`, `STANDFAST_IDEMPOTENCY_KEY` and
    `STANDFAST_FENCE` in its environment.
    """

    command: tuple[str, ...] = Field(min_length=1)
    working_directory: str = ""
    environment: dict[str, str] = Field(default_factory=dict, description="secrets as env:NAME")
    user: str = ""
    stop_signal: str = "SIGTERM"
    stop_timeout_seconds: PositiveSeconds = 10.0
    log_path: str = ""
    stop_with_standfast: bool = True


class RecoveryAction(Value):
    """What may be done when the service is the cause of an incident."""

    effect: Literal["process.restart", "process.start", "command.run"] = "process.restart"
    command: tuple[str, ...] = ()
    timeout_seconds: PositiveSeconds = 30.0
    verify_seconds: PositiveSeconds = Field(default=60.0, description="until healthy, or failed")
    attempts_max: PositiveInt = 2


class ServiceSettings(Value):
    """All that is configured about a service."""

    title: str = ""
    checks: tuple[Check, ...] = Field(min_length=1)
    depends_on: tuple[str, ...] = ()
    critical: bool = True
    isolated: bool = False
    startup_seconds: NonNegativeSeconds = Field(
        default=0.0, description="so long after it was configured, failing is not yet down"
    )
    labels: dict[str, str] = Field(default_factory=dict)
    process: ChildProcess | None = None
    recovery: RecoveryAction | None = None


class ServiceConfigured(Event, type="standfast.service.configured.v1"):
    """The service is watched, with these settings, until configured again or retired."""

    settings: ServiceSettings
    configuration_hash: str


class ServiceRetired(Event, type="standfast.service.retired.v1"):
    """The service left the configuration; nobody watches it any more."""

    reason: str
    configuration_hash: str


class ServiceBecameHealthy(Event, type="standfast.service.became_healthy.v1"):
    """All checks of the service succeed."""

    was: str
    since: AwareDatetime
    evidence: Evidence
    down_seconds: NonNegativeFloat = 0.0


class ServiceWentDown(Event, type="standfast.service.went_down.v1"):
    """A check of the service failed as often as its threshold says."""

    was: str
    since: AwareDatetime = Field(description="of the first failed probe")
    check: str
    reason: str
    evidence: Evidence


class ServiceLostSight(Event, type="standfast.service.lost_sight.v1"):
    """NO DATA: nobody knows how the service is. This is neither healthy nor down."""

    was: str
    since: AwareDatetime
    reason: str
    evidence: Evidence


class ServiceProbeRequested(Event, type="standfast.service.probe_requested.v1"):
    """The service is to be probed at once, because one that needs it failed."""

    reason: str


ServiceEvent = (
    ServiceConfigured
    | ServiceRetired
    | ServiceBecameHealthy
    | ServiceWentDown
    | ServiceLostSight
    | ServiceProbeRequested
)
