"""The platform's own settings, and what happened while its log could not be written."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field, NonNegativeInt

from events.alert import Escalation
from events.base import Event, NonNegativeSeconds, PositiveSeconds, Value
from events.effect import Mode


class PlatformSettings(Value):
    """What policies must know; names of receivers only, never their addresses."""

    receivers: tuple[str, ...] = ()
    escalation: Escalation = Escalation()
    settle_seconds: NonNegativeSeconds = 3.0
    recovery_mode: Mode = "shadow"
    approval_seconds: PositiveSeconds = 3600.0
    executor: str = Field(default="executor", description="who carries out effects")


class PlatformConfigured(Event, type="standfast.platform.configured.v1"):
    """The platform has these settings, until configured again."""

    settings: PlatformSettings
    configuration_hash: str


class PlatformToldWithoutLog(Event, type="standfast.platform.told_without_log.v1"):
    """A receiver heard this while the log could not be written; it is written down afterwards."""

    alert: str = Field(description="the id of the alert that speaks for it in the log")
    status: Literal["firing", "resolved"]
    level: NonNegativeInt = 0
    receiver: str
    told_at: AwareDatetime
    summary: str
    services: tuple[str, ...] = ()


class PlatformLogWasAway(Event, type="standfast.platform.log_was_away.v1"):
    """The log took nothing for a while; what was concluded meanwhile has been written since."""

    since: AwareDatetime
    until: AwareDatetime
    reason: str
    conclusions: NonNegativeInt = Field(description="about services, all of them written now")


PlatformEvent = PlatformConfigured | PlatformToldWithoutLog | PlatformLogWasAway
