"""One append: fenced, and through lost acknowledgements and conflicts that are none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError

from events.commit import DIGEST_HEADER, Commit, Head, digest_of
from events.log_errors import ConflictError, LogFullError, LogReplacedError, LogUnavailableError
from events.subjects import state_subject

if TYPE_CHECKING:
    from events.log import Log

ACKNOWLEDGE_SECONDS = 2.0
BACKOFF_SECONDS = 0.02
WRONG_LAST_SEQUENCE, WRONG_STREAM = 10071, 10060
EXPECTED_HEADER = "Nats-Expected-Last-Subject-Sequence"
_STREAM_HEADER = "Nats-Expected-Stream"
UNCERTAIN = (TimeoutError, NoRespondersError, NoStreamResponseError, NatsError, OSError)
"""After these nobody knows whether the log has done what it was asked."""


@dataclass(slots=True)
class Append:
    """One append, through lost acknowledgements and conflicts that are none."""

    log: Log
    commit: Commit
    payload: bytes
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Make the digest once: it goes into the header and into the head."""
        self.digest = digest_of(self.payload)

    async def run(self) -> Head:
        """Publish until it is known to have landed, or to have lost."""
        delay = BACKOFF_SECONDS
        while True:
            head = await self._publish()
            if head is not None:
                return head
            await asyncio.sleep(delay)
            delay = min(1.0, delay * 2)

    def headers(self) -> dict[str, str]:
        """Give what the server holds a publish against: the stream, and the fence."""
        return {
            _STREAM_HEADER: self.log.stream,
            EXPECTED_HEADER: str(self.commit.previous.sequence),
            DIGEST_HEADER: self.digest.hex(),
        }

    async def _publish(self) -> Head | None:
        subject = state_subject(self.commit.entity)
        try:
            acknowledged = await self.log.publisher.publish(
                subject, self.payload, timeout=ACKNOWLEDGE_SECONDS, headers=self.headers()
            )
        except APIError as error:
            return await self._refused(error)
        except ConnectionClosedError as error:
            raise LogUnavailableError(str(error)) from error
        except UNCERTAIN:
            return await self.landed()
        return Head(acknowledged.seq, self.digest)

    async def _refused(self, error: APIError) -> Head | None:
        if error.err_code == WRONG_LAST_SEQUENCE:
            return await self.landed()
        if error.err_code == WRONG_STREAM:
            raise LogReplacedError("the log was restored: another generation takes commits")
        message = f"the log refused a commit of {self.commit.entity}: {error.description}"
        raise LogFullError(message) from error

    async def landed(self) -> Head | None:
        """Ask the leader: the new head if it landed, None if it may still be tried again."""
        last = await self.log.last_message(state_subject(self.commit.entity))
        actual = 0 if last is None else int(last.seq or 0)
        if last is not None and last.data == self.payload:  # the commit's id is in the payload
            return Head(actual, self.digest)
        if actual == self.commit.previous.sequence:
            return None
        raise ConflictError(self.commit.entity, self.commit.previous.sequence, actual)
