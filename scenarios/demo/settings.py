"""What the demo chose once and keeps: its ports, passwords and places, in one file of mode 0600."""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

from pydantic import PositiveInt, ValidationError

from events.base import Value
from scenarios.loopback import HOST

FILE_NAME = "demo.json"


class DemoUnavailableError(Exception):
    """The demo can't do what was asked; the message says why and what helps."""


class Ports(Value):
    """Loopback ports, all different."""

    database: PositiveInt
    cache: PositiveInt
    app: PositiveInt
    receiver: PositiveInt


class Settings(Value):
    """What all processes of the demo must agree on."""

    id: str
    ports: Ports
    database_password: str
    cache_password: str


def read_settings(directory: Path) -> Settings | None:
    """Read the demo's settings; None before the first preparation.

    Raises DemoUnavailableError where the file is damaged.
    """
    path = directory / FILE_NAME
    try:
        return Settings.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        count = error.error_count()
        raise DemoUnavailableError(
            f"{path} is damaged ({count} errors): remove {directory} to begin anew"
        ) from error


def ensure_settings(directory: Path) -> Settings:
    """Read the settings, or choose and keep them."""
    if (kept := read_settings(directory)) is not None:
        return kept
    chosen = Settings(
        id=secrets.token_hex(6),
        ports=free_ports(),
        database_password=secrets.token_urlsafe(24),
        cache_password=secrets.token_urlsafe(24),
    )
    write_private(directory / FILE_NAME, chosen.model_dump_json(indent=2))
    return chosen


def free_ports() -> Ports:
    """Ask the kernel for free ports, all at once so that they differ."""
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in Ports.model_fields}
        for listener in sockets.values():
            listener.bind((HOST, 0))
        ports = {name: listener.getsockname()[1] for name, listener in sockets.items()}
    return Ports.model_validate(ports)


def is_free(port: int) -> bool:
    """Say whether nobody listens on a loopback port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def write_private(path: Path, content: str) -> None:
    """Replace a file by one that only its owner may read; whole or not at all."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
