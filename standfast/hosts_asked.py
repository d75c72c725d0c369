"""The hosts of the placement, each asked for itself, none waited for too long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors.runtime.description import Described, ask_host
from actors.runtime.host import PLACEMENT_ADDRESS
from actors.runtime.store import Store

if TYPE_CHECKING:
    from nats.aio.client import Client

    from events.log import Log

SILENCE_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Hosted:
    """All hosts of the placement, as each answered."""

    hosts: list[Described]

    def as_json(self) -> dict[str, Any]:
        """Give hosts and entities for programs."""
        return {
            "hosts": [_host_json(host) for host in self.hosts],
            "entities": [
                {**entity, "host": host.name, "node": host.node, "pid": host.pid}
                for host in self.hosts
                for entity in host.entities
            ],
        }


def _host_json(host: Described) -> dict[str, Any]:
    return {
        "name": host.name,
        "pid": host.pid or None,
        "node": host.node,
        "build": host.build,
        "kinds": list(host.kinds),
        "epoch": host.epoch,
        "ready": host.ready,
        "answered": host.answered,
        "entities": host.entity_count,
    }


async def host_names(log: Log) -> list[str]:
    """Give the names of the hosts that the placement in the log gives buckets or entities to."""
    placement = (await Store(log).load_entity(PLACEMENT_ADDRESS)).state
    return sorted({*placement.hosts, *placement.isolated.values()})


async def ask_hosts(client: Client, names: list[str], *, entities: bool = True) -> Hosted:
    """Ask hosts for their entities, all at once; those that take too long are silent."""
    return Hosted(list(await asyncio.gather(*[_ask(client, name, entities) for name in names])))


async def _ask(client: Client, name: str, entities: bool) -> Described:  # noqa: FBT001
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await ask_host(client, name, entities=entities)
    except TimeoutError:
        return Described(name, answered=False)
