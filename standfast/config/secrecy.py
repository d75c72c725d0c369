"""Secrets stay out of the log: where one may stand, only a reference to it is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from standfast.config.misplaced import MisplacedError

if TYPE_CHECKING:
    from events.service import HttpCheck, ServiceSettings

Path = tuple[str | int, ...]
REFERENCES = ("env:", "file:")
_SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"}
)
_SECRET_WORDS = ("password", "passwd", "secret", "token", "api_key", "apikey", "private_key")


def refuse_secrets(service: str, settings: ServiceSettings) -> None:
    """Raise `MisplacedError` where a service's settings hold a secret itself."""
    for index, check in enumerate(settings.checks):
        where: Path = ("services", service, "checks", index)
        if check.kind == "http":
            _refuse_in_request(where, check)
        if check.kind == "command":
            _refuse_in_environment(where, check.environment)
    if settings.process is not None:
        _refuse_in_environment(("services", service, "process"), settings.process.environment)


def _refuse_in_request(where: Path, check: HttpCheck) -> None:
    if urlsplit(check.url).password:
        message = "a password in a URL would enter the log; use a header"
        raise MisplacedError((*where, "url"), message)
    for name, value in check.headers.items():
        if name.lower() in _SECRET_HEADERS:
            _refuse((*where, "headers", name), value)


def _refuse_in_environment(where: Path, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        if any(word in name.lower() for word in _SECRET_WORDS):
            _refuse((*where, "environment", name), value)


def _refuse(where: Path, value: str) -> None:
    if value and not value.startswith(REFERENCES):
        message = "a secret would enter the log; write env:NAME or file:PATH"
        raise MisplacedError(where, message)
