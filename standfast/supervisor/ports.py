"""Ports that are chosen once and kept, so that a restart is found where it was."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from events.server import free_port
from standfast.paths import write_private

if TYPE_CHECKING:
    from pathlib import Path


def kept_port(path: Path, *, keep: bool) -> int:
    """Give the port in a file, another where it is taken; `keep` it where ours listens there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = int(path.read_text()) if path.exists() else 0
    if port and (keep or is_free(port)):
        return port
    port = free_port()
    write_private(path, str(port))
    return port


def is_free(port: int, address: str = "127.0.0.1") -> bool:
    """Say whether nobody listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
