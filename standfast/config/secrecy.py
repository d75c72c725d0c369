"""Secrets stay out of the log: where one may stand, only a reference to it is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from events.service import HttpCheck, ServiceSettings

REFERENCES = ("env:", "file:")
_SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"}
)
_SECRET_WORDS = ("password", "passwd", "secret", "token", "api_key", "apikey", "private_key")


def refuse_secrets(service: str, settings: ServiceSettings) -> None:
    """Raise `ValueError` where a service's settings hold a secret itself."""
    for check in settings.checks:
        where = f"services.{service}.checks.{check.name}"
        if check.kind == "http":
            _refuse_in_request(where, check)
        if check.kind == "command":
            _refuse_in_environment(where, check.environment)
    if settings.process is not None:
        _refuse_in_environment(f"services.{service}.process", settings.process.environment)


def _refuse_in_request(where: str, check: HttpCheck) -> None:
    if urlsplit(check.url).password:
        message = f"{where}.url: a password in a URL would enter the log; use a header"
        raise ValueError(message)
    for name, value in check.headers.items():
        if name.lower() in _SECRET_HEADERS:
            _refuse(f"{where}.headers.{name}", value)


def _refuse_in_environment(where: str, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        if any(word in name.lower() for word in _SECRET_WORDS):
            _refuse(f"{where}.environment.{name}", value)


def _refuse(where: str, value: str) -> None:
    if value and not value.startswith(REFERENCES):
        message = f"{where}: a secret would enter the log; write env:NAME or file:PATH"
        raise ValueError(message)
