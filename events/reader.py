"""Reading a stream in order, every message once, over gaps, reconnects and slow readers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from events.bulk import BulkConnection, BulkUnavailableError
from events.headers import decode_headers, encode_headers
from events.ids import new_id
from events.log_end import check_end
from events.message import Message
from events.reading import PACE, Pace, Start
from events.subjects import prefixes_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from events.bulk import Delivery

__all__ = ["PACE", "Message", "OrderedReader", "Pace", "Start"]

_ACKNOWLEDGE = "$JS.ACK."
RETRY_SECONDS = 0.5
INACTIVE_SECONDS = 60.0
PENDING_BYTES_MAX = 64 * 1024 * 1024
ARRIVED_MAX = 20_000
BULK_MESSAGES = 1_000
"""So many that wait to be read are worth a connection of their own."""
UNFILTERED_SHARE = 4
"""A server looks at its filters for each message, which takes it several times as long as sending.

Where at least every fourth message matches, all are taken and looked at here.
"""


class OrderedReader:
    """An ordered, ephemeral consumer that replaces itself when it misses something.

    It is deleted on the server when closed: a server allows only so many consumers.
    """

    def __init__(
        self,
        client: Client,
        stream: str,
        filters: Sequence[str],
        start: Start | None = None,
        *,
        headers_only: bool = False,
        pace: Pace = PACE,
        likely: int = 0,
    ) -> None:
        """Prepare to read the messages of a stream whose subjects match any of the filters.

        `likely` is about how many of them wait already, where that is known.
        """
        self._likely = likely
        self._headers_only = headers_only
        self._pace = pace
        self._client = client
        self._manager = client.jsm()
        self._stream = stream
        self._filters = list(filters)
        self._prefixes: tuple[str, ...] = ()  # of what matches, where the server sends all
        self._start = start or Start()
        self._last_sequence = self._start.sequence - 1
        self._last: Message | None = None
        self._expected = 1
        self._arrived: list[Message] = []
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._broken = False
        self._closed = False
        self._reconnects = 0
        self._consumer = ""
        self._subscription: Subscription | None = None
        self._bulk: BulkConnection | None = None
        self.pending = 0

    async def open(self) -> int:
        """Create the consumer. Gives at most how many messages already wait to be read."""
        self._reconnects = self._client.stats["reconnects"]
        likely, self._likely = self._likely, 0
        if likely < BULK_MESSAGES or not await self._open_bulk():
            waited = await self._open_ordinary()
            if waited >= BULK_MESSAGES:
                await self._open_bulk()
        return self.pending + len(self._arrived)

    async def _open_ordinary(self) -> int:
        inbox = self._client.new_inbox()
        self._begin()
        self._subscription = await self._client.subscribe(
            inbox, cb=self._receive, pending_bytes_limit=PENDING_BYTES_MAX
        )
        return await self._add_consumer(inbox)

    async def _open_bulk(self) -> bool:
        """Read on from a connection of its own; False, and all as it was, if there is none."""
        inbox = self._client.new_inbox()
        try:
            bulk = await BulkConnection.open(self._client, inbox, self._take, self._lose)
        except BulkUnavailableError:
            return False
        await self._drop()
        self._bulk = bulk
        self._begin()
        if await self._are_many_matches(await self._add_consumer(inbox)):
            await self._delete_consumer()
            self._begin()
            self._prefixes = prefixes_of(self._filters)
            await self._add_consumer(inbox)
        return True

    async def _are_many_matches(self, matches: int) -> bool:
        """Say whether so many messages match that all had better be sent, and looked at here."""
        by_sequence = self._start.policy is DeliverPolicy.BY_START_SEQUENCE
        if not by_sequence or matches < BULK_MESSAGES or not prefixes_of(self._filters):
            return False
        state = (await self._manager.stream_info(self._stream)).state
        total = state.last_seq + 1 - max(self._start.sequence, state.first_seq)
        return matches * UNFILTERED_SHARE >= total

    def _begin(self) -> None:
        """Begin a consumer's life after the last message that was taken."""
        if self._last_sequence >= self._start.sequence:
            self._start = Start(self._last_sequence + 1)
        self._expected, self._broken, self._prefixes = 1, False, ()
        self._consumer = f"standfast-{new_id()}"

    async def _add_consumer(self, inbox: str) -> int:
        """Create the consumer on the server. Gives how many messages waited for it."""
        info = await self._manager.add_consumer(self._stream, self._configuration(inbox))
        waited = info.num_pending or 0
        if self._expected == 1:  # no message came before this answer; each says how many are left
            self.pending = waited
        return waited

    async def batches(self) -> AsyncIterator[list[Message]]:
        """Give what has arrived, in order and without gaps, for as long as it is read."""
        while not self._closed:
            batch, self._arrived = self._arrived, []
            self._make_room()
            if batch:
                yield batch
                continue
            if self._broken or (self._bulk is not None and not self.pending):
                await self._reopen()  # what comes live comes by the ordinary connection
                continue
            self._wake.clear()
            await self._wait_for_more()

    def _make_room(self) -> None:
        self._room.set()
        if self._bulk is not None:
            self._bulk.resume()

    async def _wait_for_more(self) -> None:
        """Wait for a message; silence, and a connection made anew, end the consumer's life."""
        for _ in range(self._pace.looks):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.look_seconds):
                    await self._wake.wait()
                    return
            if self._client.stats["reconnects"] != self._reconnects:
                break
        self._broken = True

    async def close(self) -> None:
        """Delete the consumer on the server and stop."""
        self._closed = True
        self._wake.set()
        self._room.set()
        await self._drop()

    async def _drop(self) -> None:
        subscription, self._subscription = self._subscription, None
        bulk, self._bulk = self._bulk, None
        if subscription is not None:
            with contextlib.suppress(NatsError, TimeoutError, OSError):
                await subscription.unsubscribe()
        if bulk is not None:
            bulk.close()
        if subscription is not None or bulk is not None:
            await self._delete_consumer()

    async def _delete_consumer(self) -> None:
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            await self._manager.delete_consumer(self._stream, self._consumer)

    async def _reopen(self) -> None:
        await self._drop()
        try:
            await check_end(self._manager, self._stream, self._last)
            await self.open()
        except (NatsError, TimeoutError, OSError):
            self._broken = True
            await asyncio.sleep(RETRY_SECONDS)

    def _configuration(self, inbox: str) -> ConsumerConfig:
        policy = self._start.policy
        by_sequence = policy is DeliverPolicy.BY_START_SEQUENCE
        return ConsumerConfig(
            name=self._consumer,
            deliver_subject=inbox,
            deliver_policy=policy,
            opt_start_seq=max(1, self._start.sequence) if by_sequence else None,
            opt_start_time=self._start.time,
            filter_subjects=[] if self._prefixes else self._filters,
            ack_policy=AckPolicy.NONE,
            max_deliver=1,
            flow_control=True,
            idle_heartbeat=self._pace.heartbeat_seconds,
            inactive_threshold=INACTIVE_SECONDS,
            mem_storage=True,
            headers_only=self._headers_only or None,
            num_replicas=1,
        )

    async def _receive(self, message: Msg) -> None:
        if message.headers is not None and message.headers.get("Status") is not None:
            await self._receive_status(message)
            return
        while len(self._arrived) >= ARRIVED_MAX and not self._closed:  # the server is held back
            self._room.clear()
            await self._room.wait()
        head = encode_headers(message.headers or {})
        self._add([(message.subject, message.reply, message.data, head)])

    def _add(self, deliveries: Sequence[Delivery]) -> None:
        """Add each message that is the next one of this consumer's life, and matches."""
        message, prefixes = self._last, self._prefixes
        for subject, reply, payload, head in deliveries:
            parts = reply.split(".")
            if self._broken or int(parts[-3]) != self._expected or parts[-6] != self._consumer:
                self._break(parts[-6])
                continue
            self._expected += 1
            sequence, pending, stored = int(parts[-4]), int(parts[-1]), int(parts[-2]) // 1000
            message = Message(subject, sequence, stored, payload, head, pending)
            self._last_sequence, self.pending = sequence, pending
            if not prefixes or subject.startswith(prefixes):
                self._arrived.append(message)
        self._last = message
        self._wake.set()

    def _break(self, consumer: str) -> None:
        if consumer == self._consumer:
            self._lose()

    def _lose(self) -> None:
        self._broken = True
        self._wake.set()

    async def _receive_status(self, message: Msg) -> None:
        for subject in self._wanted(message.reply, message.headers or {}):
            await self._client.publish(subject)

    def _wanted(self, reply: str, headers: dict[str, str]) -> list[str]:
        """Give the subjects to answer on, so that the server goes on sending."""
        last = headers.get("Nats-Last-Consumer")
        if last is not None and int(last) >= self._expected:
            self._broken = True
        self._wake.set()
        return [subject for subject in (reply, headers.get("Nats-Consumer-Stalled")) if subject]

    def _take(self, deliveries: list[Delivery]) -> None:
        """Take what arrived at once by a connection of its own."""
        assert self._bulk is not None, "it is closed before it is let go"
        statuses = [one for one in deliveries if not one[1].startswith(_ACKNOWLEDGE)]
        self._add([one for one in deliveries if one not in statuses] if statuses else deliveries)
        for _, reply, _, head in statuses:
            for wanted in self._wanted(reply, decode_headers(head)):
                self._bulk.answer(wanted)
        if len(self._arrived) >= ARRIVED_MAX:
            self._bulk.pause()
