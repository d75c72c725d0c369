"""Three NATS servers as a cluster, whose routes run through proxies: partitions go one way."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from events.server import ServerAddress, connect, free_port, server_command
from scenarios.faults.proxy import Hold, NatsProxy
from tests.fixtures.web import eventually

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "cluster-token"
READY_SECONDS = 30.0


@dataclass(slots=True)
class Member:
    """One server of the cluster; others reach its routes only through its proxy."""

    name: str
    directory: Path
    port: int = field(default_factory=free_port)
    route_port: int = field(default_factory=free_port)
    proxy: NatsProxy = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        """Make the proxy."""
        self.proxy = NatsProxy(self.route_port, speaks_nats=False)

    @property
    def address(self) -> ServerAddress:
        """Where clients connect."""
        return ServerAddress(f"nats://127.0.0.1:{self.port}", TOKEN)

    def configuration(self, others: list[Member]) -> str:
        """Give its configuration."""
        routes = ", ".join(f'"nats://127.0.0.1:{other.proxy.port}"' for other in others)
        return f"""\
server_name: {self.name}
listen: "127.0.0.1:{self.port}"
authorization {{ token: "{TOKEN}" }}
jetstream {{ store_dir: "{self.directory / "data"}", sync_interval: always }}
cluster {{
  name: faults
  listen: "127.0.0.1:{self.route_port}"
  advertise: "127.0.0.1:{self.proxy.port}"
  no_advertise: true
  pool_size: -1
  routes: [{routes}]
}}
"""

    def start(self) -> None:
        """Start it."""
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(server_command(self.directory), stdout=log, stderr=log)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None


@dataclass(slots=True)
class Cluster:
    """The members, and the partitions between them."""

    members: list[Member]
    _holds: list[tuple[NatsProxy, Hold]] = field(default_factory=list)

    @classmethod
    async def start(cls, directory: Path) -> Cluster:
        """Start three servers, and wait until they agree on a leader."""
        members = [Member(f"n{number}", directory / f"n{number}") for number in range(3)]
        for member in members:
            member.directory.mkdir(parents=True)
            await member.proxy.start()
        for member in members:
            others = [other for other in members if other is not member]
            path = member.directory / "nats-server.conf"
            path.write_text(member.configuration(others))
            member.start()
        cluster = cls(members)
        await cluster.wait_ready()
        return cluster

    async def wait_ready(self) -> None:
        """Wait until every server answers for JetStream."""
        for member in self.members:
            await eventually(partial(_serves, member), READY_SECONDS)

    def block(self, source: Member, target: Member) -> None:
        """Let nothing pass from one server to another; the other way stays open."""
        for proxy, hold in (
            (target.proxy, Hold(source.name, ("to server",))),
            (source.proxy, Hold(target.name, ("to client",))),
        ):
            proxy.add(hold)
            self._holds.append((proxy, hold))

    def heal(self) -> int:
        """Let all pass again; gives how many pieces were held."""
        held = sum(hold.held for _, hold in self._holds)
        while self._holds:
            proxy, hold = self._holds.pop()
            proxy.remove(hold)
        return held

    async def stop(self) -> None:
        """End all."""
        for member in self.members:
            member.end()
        for member in self.members:
            await member.proxy.stop()


async def _serves(member: Member) -> bool:
    try:
        client = await connect(member.address, "looking")
    except OSError:
        return False
    try:
        await client.jsm().account_info()
    except Exception:  # noqa: BLE001  (whatever it is, it does not serve yet)
        return False
    finally:
        await client.close()
    return True
