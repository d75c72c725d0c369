"""The log: fenced appends of whole commits, and reading them by bucket, entity, place and time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from nats.errors import ConnectionClosedError
from nats.js.errors import NotFoundError

from events.appending import ACKNOWLEDGE_SECONDS, BACKOFF_SECONDS, UNCERTAIN, Append
from events.commit import (
    Commit,
    Head,
    StoredCommit,
    decode_commit,
    digest_of,
    encode_commit,
)
from events.log_errors import (
    CommitTooLargeError,
    ConflictError,
    LogFullError,
    LogLostEndError,
    LogReplacedError,
    LogUnavailableError,
)
from events.message import Message, stored_moment
from events.reader import PACE, OrderedReader, Pace, Start
from events.state_stream import STREAM_NOT_FOUND, find_state_stream, state_streams
from events.subjects import STATE_STREAM, entity_of, has_wildcard, state_subject
from events.surroundings import monotonic_seconds

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from nats.aio.client import Client
    from nats.js.api import RawStreamMsg

    from events.address import EntityAddress
    from events.base import Position
    from events.identity import LogIdentity

T = TypeVar("T")
__all__ = [
    "CommitTooLargeError",
    "ConflictError",
    "Log",
    "LogFullError",
    "LogLostEndError",
    "LogReplacedError",
    "LogUnavailableError",
]

PATIENCE_SECONDS = 10.0
HEADER_BYTES = 512
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Log:
    """The state stream of one generation of one log, as its writers and readers see it."""

    def __init__(
        self,
        client: Client,
        identity: LogIdentity,
        pace: Pace = PACE,
        stream: str = STATE_STREAM,
    ) -> None:
        """Use `Log.open`, which also reads the identity."""
        self._client = client
        self._manager = client.jsm(timeout=ACKNOWLEDGE_SECONDS)
        self.publisher = client.jetstream()
        self.identity, self.pace, self.stream = identity, pace, stream
        self._refused_since: float | None = None

    @classmethod
    async def open(cls, client: Client, pace: Pace = PACE) -> Log:
        """Open the log on a server whose streams exist (see `streams.ensure_streams`).

        Raises `NotFoundError` where there is none, `LogUnavailableError` while it is restored.
        """
        found = await find_state_stream(client)
        if found is None:
            if await state_streams(client):
                raise LogUnavailableError("the log is closed: it is being restored")
            raise NotFoundError(code=404, description="the log has no state stream")
        return cls(client, found.identity, pace, found.name)

    @property
    def client(self) -> Client:
        """The connection the log is reached by."""
        return self._client

    def position(self, sequence: int) -> Position:
        """Give the position of a sequence: under the first generation that had it."""
        return self.identity.position(sequence)

    @property
    def commit_bytes_max(self) -> int:
        """How large an encoded commit may be, in bytes."""
        return int(self._client.max_payload) - HEADER_BYTES

    async def append(self, commit: Commit) -> Head:
        """Append a commit if its entity is still where the commit says, and give the new head.

        A lost acknowledgement is resolved by asking the stream's leader what landed.
        Raises `ConflictError`, `CommitTooLargeError`, `LogFullError`, `LogUnavailableError`
        and, where the log was restored meanwhile, `LogReplacedError`.
        """
        payload = encode_commit(commit)
        if len(payload) > self.commit_bytes_max:
            message = f"{len(payload)} bytes of {self.commit_bytes_max} allowed"
            raise CommitTooLargeError(message)
        began = monotonic_seconds()
        try:
            head = await self._append(Append(self, commit, payload))
        except (LogUnavailableError, LogFullError):
            self._refused_since = self._refused_since or began
            raise
        self._refused_since = None
        return head

    async def _append(self, attempt: Append) -> Head:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await attempt.run()
        except TimeoutError as error:
            message = f"no answer about a commit of {attempt.commit.entity} in {PATIENCE_SECONDS} s"
            raise LogUnavailableError(message) from error

    @property
    def refused_seconds(self) -> float:
        """For how long no commit could be stored; zero where the newest one was."""
        return 0.0 if self._refused_since is None else monotonic_seconds() - self._refused_since

    async def last_commit(self, entity: EntityAddress) -> StoredCommit | None:
        """Read an entity's newest commit from the stream's leader, or None."""
        raw = await self.last_message(state_subject(entity))
        return None if raw is None else _stored_from_raw(self, raw)

    async def last_message(self, subject: str) -> RawStreamMsg | None:
        """Read the newest message of a subject (wildcards allowed) from the stream's leader."""
        return await self._ask(
            lambda: self._manager.get_msg(self.stream, subject=subject, direct=False)
        )

    async def message(self, sequence: int) -> RawStreamMsg | None:
        """Read the message at a sequence from the stream's leader, or None where it is missing."""
        return await self._ask(
            lambda: self._manager.get_msg(self.stream, seq=sequence, direct=False)
        )

    async def head_sequence(self) -> int:
        """Give the last sequence of the whole log, as its leader knows it."""
        info = await self._ask(lambda: self._manager.stream_info(self.stream))
        assert info is not None, "a log has its state stream"
        return int(info.state.last_seq)

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """Ask the stream's leader until it answers; None is what is not found.

        Raises `LogUnavailableError`.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    try:
                        return await question()
                    except NotFoundError as error:
                        if error.err_code != STREAM_NOT_FOUND:
                            return None
                        await asyncio.sleep(BACKOFF_SECONDS)
                    except ConnectionClosedError as error:
                        raise LogUnavailableError(str(error)) from error
                    except UNCERTAIN:
                        await asyncio.sleep(BACKOFF_SECONDS)
        except TimeoutError as error:
            message = f"the log did not answer within {PATIENCE_SECONDS:g} s"
            raise LogUnavailableError(message) from error

    async def read(
        self, filters: Sequence[str], start: Start | None = None, until: int | None = None
    ) -> AsyncGenerator[list[Message], None]:
        """Give the messages that match, from a start up to a sequence or up to the log's end now.

        The end is the leader's: a consumer on a replica that lags is waited for. A newest message
        that is damaged is missing for the leader, too; what is before it is read all the same.
        """
        start = start or Start()
        last = await self.head_sequence()
        end = last if until is None else min(last, until)
        newest, is_certain = await self._last_matching(filters)
        needed = min(end, newest)
        many = needed - start.sequence if filters and all(map(has_wildcard, filters)) else 0
        reader = OrderedReader(
            self._client, self.stream, filters, start, pace=self.pace, likely=many
        )
        try:
            waiting = await reader.open()
            if waiting == 0 and (start.time is not None or needed < start.sequence):
                return
            if not is_certain and not await self._has_more(filters, start.sequence, end):
                return
            async for batch in reader.batches():
                read = batch[-1].sequence
                yield [message for message in batch if message.sequence <= end]
                if read >= end or (read >= needed and (is_certain or batch[-1].pending == 0)):
                    return
                if read >= needed and not await self._has_more(filters, read + 1, end):
                    return
        finally:
            await reader.close()

    async def _has_more(self, filters: Sequence[str], start: int, end: int) -> bool:
        """Ask the leader whether more matches: a consumer counts messages that are damaged, too."""
        for subject in filters:
            found = await self._ask(partial(self._next_message, subject, start))
            if found is not None and int(found.seq or 0) <= end:
                return True
        return False

    async def _next_message(self, subject: str, sequence: int) -> RawStreamMsg:
        return await self._manager.get_msg(
            self.stream, seq=sequence, subject=subject, next=True, direct=False
        )

    async def _last_matching(self, filters: Sequence[str]) -> tuple[int, bool]:
        """Give the newest sequence that matches, and whether every filter has a newest one.

        None is newest where nothing matches, and also where the newest message is damaged.
        """
        messages = [await self.last_message(subject) for subject in filters]
        found = [int(message.seq or 0) for message in messages if message]
        return max(found, default=0), len(found) == len(messages)

    async def follow(
        self, filters: Sequence[str], start: Start, *, headers_only: bool = False
    ) -> AsyncGenerator[list[Message], None]:
        """Give the messages that match, from a start and then live, until closed.

        With `headers_only` their payloads are left out.
        """
        reader = OrderedReader(
            self._client, self.stream, filters, start, headers_only=headers_only, pace=self.pace
        )
        try:
            await reader.open()
            async for batch in reader.batches():
                yield batch
        finally:
            await reader.close()

    async def read_entity(
        self, entity: EntityAddress, after: int = 0
    ) -> AsyncGenerator[StoredCommit, None]:
        """Give an entity's commits after a sequence, oldest first."""
        async for batch in self.read([state_subject(entity)], Start(after + 1)):
            for message in batch:
                yield self.stored(message)

    def head_of(self, message: Message) -> Head:
        """Give the chain's end, were this message the newest of its subject."""
        return Head(message.sequence, digest_of(message.payload))

    def stored(self, message: Message) -> StoredCommit:
        """Decode a message of the state stream. Raises `UnreadableCommitError`."""
        return stored_commit(message, self.identity)


def stored_commit(message: Message, log: LogIdentity) -> StoredCommit:
    """Decode a message of a log's state stream. Raises `UnreadableCommitError`."""
    payload = message.payload
    commit = decode_commit(payload, entity_of(message.subject))
    return StoredCommit(commit, message.sequence, payload, log)


def stored_at(raw: RawStreamMsg) -> datetime:
    """Give when a message was stored, in UTC."""
    assert raw.time is not None
    moment = raw.time.astimezone(UTC)
    return stored_moment(raw.headers, (moment - _EPOCH) // timedelta(microseconds=1))


def _stored_from_raw(log: Log, raw: RawStreamMsg) -> StoredCommit:
    assert raw.subject is not None
    payload = raw.data or b""
    commit = decode_commit(payload, entity_of(raw.subject))
    return StoredCommit(commit, int(raw.seq or 0), payload, log.identity)
