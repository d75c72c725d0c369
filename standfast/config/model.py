"""What can be configured, and what each field is where nothing is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from actors.topology import find_cycle
from effects.notifiers.settings import ReceiverSettings
from effects.secrets import is_reference
from events.address import EntityAddress, InvalidAddressError
from events.alert import Escalation
from events.base import NonNegativeSeconds, PositiveSeconds, Value
from events.effect import Mode
from events.service import ServiceSettings
from events.streams import StreamLimits
from events.topology import Node
from standfast.config.misplaced import MisplacedError, MisplacedErrors
from standfast.config.secrecy import refuse_secrets

Scope = Literal["read", "operate", "admin"]


def default_state_directory() -> Path:
    """Give where state is kept where nothing is said: `$XDG_STATE_HOME/standfast`."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "standfast"


class PlatformConfiguration(Value):
    """Which platform this is, and which cell of it."""

    name: str = Field(default="main", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    cell: str = Field(default="local", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")


class TokenConfiguration(Value):
    """A token that may use the API: only its SHA-256 is kept, in hexadecimal."""

    name: str
    scope: Scope = "read"
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class WebConfiguration(Value):
    """Where the page and the API listen. Beyond loopback at least one token is needed."""

    address: str = "127.0.0.1"
    port: int = Field(default=8420, ge=0, le=65535)
    tokens: tuple[TokenConfiguration, ...] = ()

    @property
    def url(self) -> str:
        """Where the page is reached from this machine."""
        address = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.address, self.address)  # noqa: S104
        return f"http://{address}:{self.port}"


class LogConfiguration(Value):
    """The log: embedded, or a NATS cluster by its URL."""

    url: str = ""
    token: str = Field(default="", description="env:NAME or file:PATH")
    replicas: int = Field(default=1, ge=1, le=5)
    telemetry_age_seconds: PositiveSeconds = 86_400.0
    telemetry_bytes_max: int = Field(default=1024 * 1024 * 1024, ge=1024 * 1024)
    disk_high_share: float = Field(default=0.80, gt=0, le=1, description="telemetry gives way")
    disk_critical_share: float = Field(default=0.90, gt=0, le=1, description="told once more")
    disk_eased_share: float = Field(default=0.70, gt=0, le=1, description="it has room again")
    disk_look_seconds: PositiveSeconds = 10.0

    @model_validator(mode="after")
    def _shares_rise(self) -> LogConfiguration:
        if not self.disk_eased_share < self.disk_high_share <= self.disk_critical_share:
            message = "it must be that disk_eased_share < disk_high_share <= disk_critical_share"
            raise ValueError(message)
        return self

    def limits(self) -> StreamLimits:
        """Give the limits of the log's streams."""
        return StreamLimits(
            replicas=self.replicas,
            telemetry_bytes_max=self.telemetry_bytes_max,
            telemetry_age_seconds=self.telemetry_age_seconds,
        )


class ProjectionConfiguration(Value):
    """Where projections are kept: SQLite in the state directory, or a database by its URL."""

    url: str = ""


class AlertingConfiguration(Value):
    """Whom to tell, and how to insist."""

    receivers: tuple[str, ...] = ()
    escalation: Escalation = Escalation()


class WatchdogConfiguration(Value):
    """Who is told when Standfast itself falls silent, and who outside notices when all does.

    `dead_man_url` is asked for (GET) while all is well; whoever serves it tells when that ends.
    """

    receivers: tuple[str, ...] = Field(default=(), description="where none: those of alerting")
    silence_seconds: PositiveSeconds = Field(default=30.0, ge=3)
    repeat_seconds: PositiveSeconds = Field(default=300.0, description="then twice as long, ...")
    dead_man_url: str = Field(default="", description="env:NAME or file:PATH: its path is a secret")
    dead_man_interval_seconds: PositiveSeconds = 60.0


class CorrelationConfiguration(Value):
    """How long a failed service's needs are probed before it is thought to be the cause."""

    settle_seconds: NonNegativeSeconds = 3.0


class RecoveryConfiguration(Value):
    """Whether to mend: `shadow` says what it would do, `approval` asks, `automatic` does it."""

    mode: Mode = "shadow"
    approval_seconds: PositiveSeconds = 3600.0


def _fill_in(settings: Any) -> Any:
    """Fill in what goes without saying: a check's name is its kind; what we start, we restart."""
    if not isinstance(settings, dict) or not isinstance(settings.get("checks"), list):
        return settings
    checks = [
        {"name": check.get("kind", ""), **check} if isinstance(check, dict) else check
        for check in settings["checks"]
    ]
    implied: dict[str, Any] = {"recovery": {}} if settings.get("process") else {}
    return {**implied, **settings, "checks": checks}


ServiceConfiguration = Annotated[ServiceSettings, BeforeValidator(_fill_in)]


class Configuration(Value):
    """All of it. `source` is the file it came from, `""` where there is none."""

    state_dir: Path = Field(default_factory=default_state_directory)
    platform: PlatformConfiguration = PlatformConfiguration()
    web: WebConfiguration = WebConfiguration()
    log: LogConfiguration = LogConfiguration()
    projections: ProjectionConfiguration = ProjectionConfiguration()
    alerting: AlertingConfiguration = AlertingConfiguration()
    watchdog: WatchdogConfiguration = WatchdogConfiguration()
    correlation: CorrelationConfiguration = CorrelationConfiguration()
    recovery: RecoveryConfiguration = RecoveryConfiguration()
    receivers: dict[str, ReceiverSettings] = Field(default_factory=dict)
    services: dict[str, ServiceConfiguration] = Field(default_factory=dict, max_length=20_000)

    @model_validator(mode="after")
    def _check_whole(self) -> Configuration:
        """Refuse what each part allows and the whole does not; all of it at once."""
        if mistakes := [*self._mistakes()]:
            raise MisplacedErrors(mistakes)
        return self

    def _mistakes(self) -> Iterator[MisplacedError]:
        for name, settings in self.services.items():
            yield from self._mistakes_of(name, settings)
        if cycle := find_cycle(self.topology()):
            message = f"services need each other in a circle: {' -> '.join(cycle)}"
            yield MisplacedError(("services", cycle[0], "depends_on"), message)
        yield from self._mistakes_of_web()
        yield from _unknown(("alerting", "receivers"), self.alerting.receivers, self.receivers)
        yield from _unknown(("watchdog", "receivers"), self.watchdog.receivers, self.receivers)
        if self.watchdog.dead_man_url and not is_reference(self.watchdog.dead_man_url):
            message = "its path is a secret: give it as env:NAME or file:PATH"
            yield MisplacedError(("watchdog", "dead_man_url"), message)

    def _mistakes_of_web(self) -> Iterator[MisplacedError]:
        address = self.web.address
        try:
            is_loopback = address == "localhost" or ip_address(address).is_loopback
        except ValueError:
            is_loopback = False
        if not is_loopback and not self.web.tokens:
            message = f"beyond loopback ({address}) at least one token is needed"
            yield MisplacedError(("web", "tokens"), message)

    def _mistakes_of(self, name: str, settings: ServiceSettings) -> Iterator[MisplacedError]:
        place = ("services", name)
        try:
            EntityAddress("service", name)
            refuse_secrets(name, settings)
        except InvalidAddressError as error:
            yield MisplacedError(place, str(error))
        except MisplacedError as error:
            yield error
        yield from _unknown((*place, "depends_on"), settings.depends_on, self.services)
        names = [check.name for check in settings.checks]
        if repeated := {one for one in names if names.count(one) > 1}:
            message = f"two checks are named {min(repeated)!r}"
            yield MisplacedError((*place, "checks"), message)
        for index, check in enumerate(settings.checks):
            if check.kind == "process" and not (check.child or check.pid_file):
                message = "it names neither a child nor a pid_file"
                yield MisplacedError((*place, "checks", index), message)

    def topology(self) -> dict[str, Node]:
        """Give the dependency graph of the services."""
        return {
            name: Node(
                depends_on=settings.depends_on,
                critical=settings.critical,
                recovery=settings.recovery,
            )
            for name, settings in self.services.items()
        }


def _unknown(
    where: tuple[str, ...], used: tuple[str, ...], known: dict[str, Any]
) -> Iterator[MisplacedError]:
    """Give a mistake for each name that is used and not known."""
    for name in used:
        if name not in known:
            there_are = ", ".join(sorted(known)[:20]) or "none"
            yield MisplacedError(where, f"there is no {name!r}; there are: {there_are}")
