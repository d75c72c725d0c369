"""What a host has in memory of its entities, page by page, for whoever holds it to the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgpack

from events.subjects import control_subject

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from actors.runtime.entity import Entity
    from actors.runtime.host import Host

STATES = "states"
PAGE_BYTES_MAX = 256 * 1024
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class EntityInMemory:
    """One entity as a host knows it: its state as JSON, and the commit that it is as of."""

    entity: str
    sequence: int
    digest: bytes
    state: str
    marks: dict[str, int]


def in_memory(entity: Entity) -> EntityInMemory:
    """Give what is known of an entity."""
    return EntityInMemory(
        entity=str(entity.address),
        sequence=entity.head.sequence,
        digest=entity.head.digest,
        state=entity.packed_state().decode(),
        marks=dict(entity.marks),
    )


def states_of(host: Host, request: bytes) -> bytes:
    """Answer a request for the entities after an address (text, empty for the first ones).

    One page: as many as fit into it, and at least one where any is left.
    """
    after = request.decode()
    entities = sorted(host.mailroom.entities.values(), key=lambda one: str(one.address))
    page: list[tuple[Any, ...]] = []
    size = 0
    for entity in entities:
        if str(entity.address) <= after or not entity.head.sequence:
            continue
        known = in_memory(entity)
        size += len(known.state)
        if page and size > PAGE_BYTES_MAX:
            break
        page.append((known.entity, known.sequence, known.digest, known.state, known.marks))
    return bytes(msgpack.packb(page))


async def ask_states(client: Client, host: str) -> AsyncIterator[EntityInMemory]:
    """Give all that a host has in memory. Raises what a NATS request raises."""
    after = ""
    while True:
        reply = await client.request(control_subject(host, STATES), after.encode(), ANSWER_SECONDS)
        page = msgpack.unpackb(reply.data)
        if not page:
            return
        for fields in page:
            yield EntityInMemory(*fields)
        after = page[-1][0]
