"""What tests do to a Standfast: kill, freeze, and find again what they did."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import socketserver
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from events.server import connect
from standfast.paths import StateDirectory
from standfast.runtime import Situation
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from nats.aio.client import Client

    from events.server import ServerAddress
    from tests.standing import Standing


def address_of(standing: Standing) -> ServerAddress:
    """Give where the log's server listens."""
    return Situation.read(StateDirectory(standing.directory)).runtime.address


@contextlib.asynccontextmanager
async def connected(standing: Standing) -> AsyncIterator[Client]:
    """Connect to the log's server."""
    client = await connect(address_of(standing), "test")
    try:
        yield client
    finally:
        await client.close()


class Service:
    """A TCP service in this process that can be taken down and brought back."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._server: socketserver.ThreadingTCPServer | None = None
        self.start()

    def start(self) -> None:
        """Accept connections."""
        if self._server is not None:
            return

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", self.port), socketserver.BaseRequestHandler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> datetime:
        """Refuse connections from now on; gives when that began."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        return datetime.now(UTC)


def configuration(
    receiver_url: str,
    services: dict[str, int],
    *,
    more: str = "",
    needs: str = "",
    apart: str = "",
) -> str:
    """Give a configuration of TCP services by name and port; all but `apart` need `needs`."""
    lines = []
    for name, port in services.items():
        depends = f"depends_on: [{needs}], " if needs and name not in {needs, apart} else ""
        check = f"{{kind: tcp, port: {port}, interval_seconds: 0.5, timeout_seconds: 0.4}}"
        lines.append(f"  {name}: {{{depends}checks: [{check}]}}")
    return f"""
platform: {{name: hurt}}
services:
{chr(10).join(lines)}
receivers:
  team: {{type: webhook, url: "{receiver_url}"}}
alerting: {{receivers: [team]}}
{more}
"""


def kill_all_but(standing: Standing, spared: str) -> None:
    """Kill -9 the supervisor and all it started, in one go, except for one process."""
    keeps = standing.pid_of(spared)
    standing.kill()
    for pid in standing.everything():
        if pid != keeps:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process for a while (SIGSTOP), as a machine that hangs would."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def end(standing: Standing) -> None:
    """End it in order, also where its supervisor was killed: a successor finds what is left."""
    assert standing.process is not None
    if standing.process.poll() is not None:
        standing.start()
        await standing.wait_ready()
    standing.stop()


async def replaced(standing: Standing, name: str, timeout_seconds: float = 20.0) -> None:
    """Kill -9 one process, and wait until its successor runs."""
    pid = standing.pid_of(name)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: standing.pid_of(name) != pid, timeout_seconds)
