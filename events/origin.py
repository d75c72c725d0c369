"""The one form in which an origin travels and is stored: nine fields, in this order for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from events.base import Mark, Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

FIELDS = 9


def pack_origin(origin: Origin) -> tuple[Any, ...]:
    """Give the fields of an origin."""
    return (
        origin.command_id,
        origin.principal,
        origin.source,
        origin.time,
        origin.correlation_id,
        origin.causation_id,
        origin.on_behalf_of,
        origin.traceparent,
        None if origin.mark is None else (origin.mark.policy, origin.mark.number),
    )


def unpack_origin(fields: Sequence[Any]) -> Origin:
    """Give the origin again. Raises `IndexError` or `TypeError` where a field is missing."""
    mark = fields[8]
    return Origin(
        command_id=fields[0],
        principal=fields[1],
        source=fields[2],
        time=fields[3],
        correlation_id=fields[4],
        causation_id=fields[5],
        on_behalf_of=fields[6],
        traceparent=fields[7],
        mark=None if mark is None else Mark(mark[0], mark[1]),
    )
