"""Whether a log still holds what was read of it: one that lost its end gives its places anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nats.js.errors import NotFoundError

from events.log_errors import LogLostEndError

if TYPE_CHECKING:
    from nats.js.manager import JetStreamManager

    from events.reader import Message

SAME_SECONDS = 0.001


async def check_end(manager: JetStreamManager, stream: str, last: Message | None) -> None:
    """See that the last message that was read is where it was. Raises `LogLostEndError`.

    One that is damaged or too old is missing, and those after it are still where they were.
    """
    if last is None:
        return
    try:
        found = await manager.get_msg(stream, seq=last.sequence, direct=False)
    except NotFoundError:
        end = int((await manager.stream_info(stream)).state.last_seq)
        if end < last.sequence:
            raise LogLostEndError(stream, last.sequence, end) from None
        return
    assert found.time is not None, "a stored message has a time"
    apart_seconds = abs(found.time.timestamp() - last.stored_microseconds / 1_000_000)
    if found.subject != last.subject or apart_seconds > SAME_SECONDS:
        raise LogLostEndError(stream, last.sequence, last.sequence - 1)
