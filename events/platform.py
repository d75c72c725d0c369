"""The platform's own settings: whom to tell, how long to settle, whether to mend."""

from __future__ import annotations

from pydantic import Field

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


PlatformEvent = PlatformConfigured
