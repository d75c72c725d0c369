"""What a host says of itself and its entities when it is asked."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgpack
from nats.errors import Error as NatsError

from actors.base import state_name
from events.subjects import control_subject
from events.surroundings import now

if TYPE_CHECKING:
    from nats.aio.client import Client

    from actors.runtime.entity import Entity
    from actors.runtime.host import Host

PAGE_MAX = 1_000
PARKED_MAX = 1_000
ANSWER_SECONDS = 2.0
PATIENCE = timedelta(seconds=10)
"""An order without an answer waits, when it is older."""


@dataclass(frozen=True, slots=True)
class Described:
    """A host and its entities, as it answered; `entities` is empty where it did not.

    `replayed` is how many commits it has read one by one to know its buckets; `waiting` counts
    orders without an answer by policy and target.
    """

    name: str
    answered: bool
    pid: int = 0
    node: str = ""
    build: str = ""
    epoch: int = 0
    ready: bool = False
    kinds: tuple[str, ...] = ()
    entity_count: int = 0
    parked: tuple[str, ...] = ()
    refused_seconds: float = 0.0
    replayed: int = 0
    waiting: dict[str, dict[str, int]] = field(default_factory=dict)
    entities: tuple[dict[str, Any], ...] = ()


def describe_host(host: Host, request: bytes) -> bytes:
    """Answer a request for a page of the host's entities (a msgpack offset)."""
    offset = msgpack.unpackb(request) if request else 0
    entities = sorted(host.mailroom.entities.values(), key=lambda one: one.address)
    answer = {
        "pid": os.getpid(),
        "node": host.settings.node,
        "build": host.settings.author.build,
        "epoch": host.ownership.epoch,
        "ready": host.is_ready,
        "kinds": sorted({part.kind for part in host.ownership.ranges}),
        "entity_count": len(entities),
        "refused_seconds": host.log.refused_seconds,
        "replayed": host.store.replayed,
        "waiting": host.runners.waiting(now() - PATIENCE),
        "parked": [str(one.address) for one in entities if one.quarantine][:PARKED_MAX],
        "entities": [_describe(one) for one in entities[offset : offset + PAGE_MAX]],
    }
    return bytes(msgpack.packb(answer))


def _describe(entity: Entity) -> dict[str, Any]:
    quarantine = entity.quarantine
    return {
        "kind": entity.address.kind,
        "id": entity.address.id,
        "state": "parked" if quarantine else _state_of(entity),
        "sequence": entity.head.sequence,
        "parked": quarantine.error if quarantine else "",
    }


def _state_of(entity: Entity) -> str:
    """Give the name of the state; who sleeps is not woken by being looked at."""
    return "asleep" if entity.is_asleep else state_name(entity.state)


async def ask_host(client: Client, name: str, *, entities: bool = True) -> Described:
    """Ask a host for its description, all pages of it; an unanswered question is an answer."""
    found: list[dict[str, Any]] = []
    while True:
        try:
            subject = control_subject(name, "describe")
            reply = await client.request(subject, msgpack.packb(len(found)), ANSWER_SECONDS)
        except (TimeoutError, NatsError, OSError):
            return Described(name, answered=False)
        page = msgpack.unpackb(reply.data)
        found.extend(page.pop("entities"))
        if not entities or len(found) >= page["entity_count"] or not found:
            return _described(name, page, found)


def _described(name: str, page: dict[str, Any], found: list[dict[str, Any]]) -> Described:
    """Give what a host said, of whatever build it is: what is not known here is left out."""
    known = {one.name for one in fields(Described)}
    said = {key: value for key, value in page.items() if key in known}
    lists = {key: tuple(said.get(key, ())) for key in ("kinds", "parked")}
    return Described(name, answered=True, **{**said, **lists}, entities=tuple(found))
