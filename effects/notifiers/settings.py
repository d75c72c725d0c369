"""Receivers as they are configured: a webhook, or anything that apprise can reach."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from events.base import Value


class WebhookReceiver(Value):
    """A URL that gets Alertmanager's webhook payload, version 4."""

    type: Literal["webhook"] = "webhook"
    url: str = Field(description="the address; env:NAME or file:PATH where it holds a secret")
    headers: dict[str, str] = Field(default_factory=dict, description="secrets as env:NAME")
    timeout_seconds: PositiveFloat = 5.0
    repeat_when_unknown: bool = True


class AppriseReceiver(Value):
    """Mail, chat, phone: an apprise URL, by reference because it holds a secret."""

    type: Literal["apprise"] = "apprise"
    url: str = Field(description="env:NAME or file:PATH; literal only without a secret")
    timeout_seconds: PositiveFloat = 10.0
    repeat_when_unknown: bool = True


ReceiverSettings = Annotated[WebhookReceiver | AppriseReceiver, Field(discriminator="type")]
