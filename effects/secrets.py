"""Secrets are references (`env:NAME`, `file:PATH`) until the moment of use, and never shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENVIRONMENT = "env:"
FILE = "file:"
SECRET_BYTES_MAX = 64 * 1024
SHOWN = "***"
HIDDEN_LENGTH_MIN = 4


class SecretUnavailableError(Exception):
    """A reference leads to nothing; the message names the reference and never a value."""


def is_reference(text: str) -> bool:
    """Say whether a text refers to a secret."""
    return text.startswith((ENVIRONMENT, FILE))


def resolve(text: str) -> str:
    """Give the secret that `env:NAME` or `file:PATH` refers to; other text is its own value.

    Raises `SecretUnavailableError`.
    """
    if text.startswith(ENVIRONMENT):
        return _from_environment(text.removeprefix(ENVIRONMENT))
    if text.startswith(FILE):
        return _from_file(Path(text.removeprefix(FILE)))
    return text


def resolve_all(texts: Mapping[str, str]) -> dict[str, str]:
    """Resolve every value. Raises `SecretUnavailableError`."""
    return {name: resolve(text) for name, text in texts.items()}


def hide(text: str, texts: Iterable[str]) -> str:
    """Strike the secrets that these references lead to out of a text that is to be shown."""
    for reference in texts:
        if is_reference(reference):
            value = resolve(reference)
            if len(value) >= HIDDEN_LENGTH_MIN:
                text = text.replace(value, SHOWN)
    return text


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        message = f"the environment variable {name} is not set"
        raise SecretUnavailableError(message)
    return value


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_BYTES_MAX + 1)
        text = content.decode()
    except OSError as error:
        message = f"the file {path} can't be read: {error.strerror}"
        raise SecretUnavailableError(message) from None
    except UnicodeDecodeError:
        message = f"the file {path} is not text"
        raise SecretUnavailableError(message) from None
    if len(content) > SECRET_BYTES_MAX:
        message = f"the file {path} is larger than {SECRET_BYTES_MAX} bytes"
        raise SecretUnavailableError(message)
    return text.rstrip("\r\n")
