"""What can be asked of a recovery."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from actors.base import Command
from events.base import PositiveSeconds
from events.effect import Mode
from events.recovery import Step


class StartRecovery(Command):
    """Plan a recovery, and begin it where the mode allows it."""

    incident: str
    cause: str
    steps: tuple[Step, ...] = Field(min_length=1)
    mode: Mode
    executor: str
    healthy: tuple[str, ...] = ()
    approval_seconds: PositiveSeconds = 3600.0


class ApproveRecovery(Command):
    """A person allows the plan."""

    by: str


class RejectRecovery(Command):
    """A person refuses the plan."""

    by: str
    reason: str = ""


class CancelRecovery(Command):
    """Stop before the next step."""

    by: str
    reason: str


class WithdrawRecovery(Command):
    """Nobody need allow it any more. What was allowed goes on: half done it would do harm."""

    by: str
    reason: str


class ReportServiceHealth(Command):
    """A service of the plan changed its health."""

    service: str
    healthy: bool


class ReportSightLost(Command):
    """Nobody knows any more how a service of the plan is: neither healthy nor down."""

    service: str


class ReportKnownHealth(Command):
    """Which services of the plan were healthy, in the order of the log, when a step acted.

    `as_of` is the `verify_until` that the act named. What is reported after this is newer than it.
    """

    as_of: AwareDatetime
    healthy: tuple[str, ...]
