"""A host as a Ray actor: Ray places it and starts it anew; the log gives it back its entities."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import ray

from actors.runtime.host import Host, HostSettings
from effects.heartbeat import Heartbeat
from effects.lag import LoopLag
from events.build import build_id
from events.commit import Author
from events.log import Log
from events.server import ServerAddress, connect
from events.succession import watch_generation
from events.telemetry import Vantage

NAMESPACE = "standfast"
RESTART_SECONDS = 0.5
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Join:
    """How a host joins: its name, and the file that says where the log is."""

    name: str
    runtime_path: str

    def read(self) -> tuple[ServerAddress, Author]:
        """Read where the log is. The build is this process's own, whatever runs beside it."""
        content = json.loads(Path(self.runtime_path).read_bytes())
        author = Author(content["platform"], content["cell"], build_id())
        return ServerAddress(content["log_url"], content["log_token"]), author


def _ray_node() -> str:
    return str(ray.get_runtime_context().get_node_id())[:12]


async def serve(join: Join, node: str) -> None:
    """Host what the placement gives to this name, until something fails or the log is replaced."""
    address, author = join.read()
    client = await connect(address, join.name)
    log = await Log.open(client)
    settings = HostSettings(join.name, author, node)
    host = Host(log, settings, settled=gc.freeze)  # what lives as long as it is no garbage
    lag = LoopLag()
    vantage = Vantage(author.platform, author.cell, join.name, author.build)
    beating = Heartbeat(client, vantage, lag).run()
    await asyncio.gather(host.run(), lag.run(), beating, watch_generation(log))


class HostActor:
    """One Ray actor. Its host runs in a thread of its own; when that fails, the process ends."""

    def __init__(self, join: Join) -> None:
        """Start to serve at once: Ray runs only this again after a restart."""
        self._node = _ray_node()
        self._join = join
        threading.Thread(target=self._serve, name="host", daemon=True).start()

    def _serve(self) -> None:
        try:
            asyncio.run(serve(self._join, self._node))
        except BaseException:
            _LOGGER.exception("the host %s ends", self._join.name)
        finally:
            time.sleep(RESTART_SECONDS)
            os._exit(1)

    def pid(self) -> int:
        """Say that it lives, and as which process."""
        return os.getpid()
