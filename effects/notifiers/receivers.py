"""Receivers are configuration: the log knows their names, never their addresses or secrets."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import Field, field_validator

from effects.secrets import is_reference
from events.base import Value

OPEN_SCHEMES = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos"})
"""Schemes of apprise whose URL needs no secret; all others hold tokens in their path."""

_SECRET_WORDS = ("pass", "token", "key", "secret")


class WebhookReceiver(Value):
    """Gets a POST of Alertmanager's webhook payload (version 4)."""

    type: Literal["webhook"] = "webhook"
    url: str = Field(description="http(s)://..., or env:NAME or file:PATH where it is secret")
    headers: dict[str, str] = Field(default_factory=dict, description="secrets as env:NAME")
    repeat_when_unknown: bool = Field(
        default=True, description="tell again where nobody knows whether it was heard"
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if not is_reference(url):
            parts = _split(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError("a webhook's url is http://HOST... or https://HOST...")
            _refuse_secrets(parts)
        return url


class AppriseReceiver(Value):
    """Gets a message by any service that apprise knows."""

    type: Literal["apprise"] = "apprise"
    url: str = Field(description="env:NAME or file:PATH; as it is only where it holds no secret")
    repeat_when_unknown: bool = Field(
        default=True, description="tell again where nobody knows whether it was heard"
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if not is_reference(url):
            parts = _split(url)
            if parts.scheme not in OPEN_SCHEMES:
                raise ValueError("a URL that may hold a secret is given as env:NAME or file:PATH")
            _refuse_secrets(parts)
        return url


ReceiverSettings = Annotated[WebhookReceiver | AppriseReceiver, Field(discriminator="type")]


def shown_place(url: str) -> str:
    """Give of a URL only what is never a secret: its scheme, host and port."""
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
        name.startswith(("+", "-", " ")) or word in name for name in names for word in _SECRET_WORDS
    )
    if parts.password is not None or in_query:
        raise ValueError("a URL that holds a secret is given as env:NAME or file:PATH")
