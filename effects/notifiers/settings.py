"""Receivers are configuration: the log knows their names, never their addresses or secrets."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import Field, PositiveFloat, field_validator

from effects.secrets import is_reference
from events.base import Value

OPEN_SCHEMES = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos"})
"""Schemes of apprise whose URL needs no secret; most others hold tokens in their path."""

_SECRET_WORDS = ("pass", "token", "key", "secret")
_BY_REFERENCE = "where it holds a secret, an address is given as env:NAME or file:PATH"


class WebhookReceiver(Value):
    """A URL that gets Alertmanager's webhook payload, version 4."""

    type: Literal["webhook"] = "webhook"
    url: str = Field(description="the address; env:NAME or file:PATH where it holds a secret")
    headers: dict[str, str] = Field(default_factory=dict, description="secrets as env:NAME")
    timeout_seconds: PositiveFloat = 5.0
    repeat_when_unknown: bool = Field(
        default=True, description="tell again where nobody knows whether it was heard"
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if not is_reference(url):
            parts = _split(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError("a webhook's address is http://HOST... or https://HOST...")
            _refuse_secrets(parts)
        return url


class AppriseReceiver(Value):
    """Mail, chat, phone: an apprise URL, by reference because it holds a secret."""

    type: Literal["apprise"] = "apprise"
    url: str = Field(description="env:NAME or file:PATH; literal only without a secret")
    timeout_seconds: PositiveFloat = 10.0
    repeat_when_unknown: bool = Field(
        default=True, description="tell again where nobody knows whether it was heard"
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if not is_reference(url):
            parts = _split(url)
            if parts.scheme not in OPEN_SCHEMES:
                raise ValueError(_BY_REFERENCE)
            _refuse_secrets(parts)
        return url


ReceiverSettings = Annotated[WebhookReceiver | AppriseReceiver, Field(discriminator="type")]


def shown_place(url: str) -> str:
    """Give of an address only what is never a secret: its scheme, host and port."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "its address"
    if parts.scheme not in OPEN_SCHEMES | {"http", "https"}:
        return f"{parts.scheme}://..." if parts.scheme else "its address"
    return f"{parts.scheme}://{parts.hostname or ''}{port}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("it is not a URL") from None
    return parts


def _refuse_secrets(parts: SplitResult) -> None:
    names = [name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    in_query = any(
        name.startswith(("+", "-", " ")) or any(word in name for word in _SECRET_WORDS)
        for name in names
    )
    if parts.password is not None or in_query:
        raise ValueError(_BY_REFERENCE)
