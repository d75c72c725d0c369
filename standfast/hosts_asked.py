"""The hosts of the placement, each asked for itself, none waited for too long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors.base import state_name
from actors.runtime.description import Described, ask_host
from actors.runtime.host import PLACEMENT_ADDRESS
from actors.runtime.store import Store
from events.placement import BucketRange
from standfast.running import SUPERVISOR

if TYPE_CHECKING:
    from nats.aio.client import Client

    from actors.runtime.entity import Entity
    from events.log import Log

SILENCE_SECONDS = 2.5
UNHOSTED = ("placement", "host", "storage")


@dataclass(frozen=True, slots=True)
class Hosted:
    """All hosts of the placement, as each answered.

    `unhosted` are the few entities that write for themselves: the hosts' own records, and the
    placement.
    """

    hosts: list[Described]
    unhosted: tuple[dict[str, Any], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give hosts and entities for programs."""
        return {
            "hosts": [_host_json(host) for host in self.hosts],
            "entities": self.entities,
        }

    @property
    def entities(self) -> list[dict[str, Any]]:
        """All entities, each with the host it lives in, that host's node and its process."""
        hosted = [
            {**_readable(entity), "host": host.name, "node": host.node, "pid": host.pid}
            for host in self.hosts
            for entity in host.entities
        ]
        return [*hosted, *self.unhosted]


def _readable(entity: dict[str, Any]) -> dict[str, Any]:
    """Give an entity with its state's name alone, without what it is generic over."""
    return {**entity, "state": entity["state"].partition("[")[0]}


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


async def ask_all(log: Log, supervisor_pid: int | None) -> Hosted:
    """Ask every host of the placement, and look up the entities that no host owns."""
    hosted = await ask_hosts(log.client, await host_names(log))
    entities = await Store(log).load([BucketRange(kind=kind) for kind in UNHOSTED])
    known = {host.name: host for host in hosted.hosts}
    unhosted = [
        _unhosted(entity, known.get(entity.address.id), supervisor_pid)
        for _, entity in sorted(entities.items())
    ]
    return Hosted(hosted.hosts, tuple(unhosted))


def _unhosted(entity: Entity, host: Described | None, supervisor_pid: int | None) -> dict[str, Any]:
    """Give a host's own record, which its host writes, or what the supervisor writes."""
    quarantine = entity.quarantine
    return {
        "kind": entity.address.kind,
        "id": entity.address.id,
        "state": "parked" if quarantine else state_name(entity.state),
        "sequence": entity.head.sequence,
        "parked": quarantine.error if quarantine else "",
        "host": entity.address.id if entity.address.kind == "host" else SUPERVISOR,
        "node": host.node if host else "",
        "pid": (host.pid or None) if host else _writer_pid(entity, supervisor_pid),
    }


def _writer_pid(entity: Entity, supervisor_pid: int | None) -> int | None:
    """Give the pid of who writes an entity; a host that was replaced has none any more."""
    return None if entity.address.kind == "host" else supervisor_pid


async def ask_hosts(client: Client, names: list[str], *, entities: bool = True) -> Hosted:
    """Ask hosts for their entities, all at once; those that take too long are silent."""
    return Hosted(list(await asyncio.gather(*[_ask(client, name, entities) for name in names])))


async def _ask(client: Client, name: str, entities: bool) -> Described:  # noqa: FBT001
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await ask_host(client, name, entities=entities)
    except TimeoutError:
        return Described(name, answered=False)
