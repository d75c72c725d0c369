"""What another writer commits to what a host owns is noticed, though nobody asks about it.

An old owner's last commit may land after the new one has read the bucket. The fence keeps it in
its place; this sees to it that its timers and intents are known.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from actors.deciders import UnknownKindError
from events.address import InvalidAddressError
from events.reader import Start
from events.subjects import entity_of, state_filter

if TYPE_CHECKING:
    from actors.runtime.host import Host
    from events.reader import Message


async def watch(host: Host, sequence: int) -> None:
    """Look at each commit after a sequence to kinds that a host owns; its contents are not read."""
    ownership = host.ownership
    kinds = {part.kind for part in ownership.ranges}
    kinds |= {address.kind for address in ownership.isolated_here}
    if not kinds:
        return
    filters = [state_filter(kind) for kind in sorted(kinds)]
    stream = host.log.follow(filters, Start(sequence + 1), headers_only=True)
    async with contextlib.aclosing(stream):
        async for batch in stream:
            for message in batch:
                _look(host, message)


def _look(host: Host, message: Message) -> None:
    try:
        address = entity_of(message.subject)
        if not host.ownership.owns(address):
            return
        entity = host.mailroom.entity(address)
    except (InvalidAddressError, UnknownKindError):
        return
    entity.seen = max(entity.seen, message.sequence)
    if not entity.draining and entity.seen > entity.head.sequence:
        entity.stale = True  # one that drains looks when it is done: it may be its own commit
        host.due(address)
