"""The telemetry stream: samples go in by batches, nobody waits for them, and losses are counted."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError
from nats.js.api import Header

from events.address import encode_token
from events.ids import new_id
from events.log_errors import LogLostEndError
from events.reader import OrderedReader, Start
from events.subjects import TELEMETRY_STREAM, telemetry_subject
from events.telemetry import (
    SAMPLES_MAX,
    UnreadableTelemetryError,
    batch_of,
    decode_batch,
    encode_batch,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from datetime import datetime

    from nats.aio.client import Client

    from events.reader import Message
    from events.telemetry import Batch, Row, Vantage

PROBE = "probe"
HEARTBEAT = "heartbeat"
REOPEN_SECONDS = 0.5
_UNCERTAIN = (TimeoutError, NatsError, OSError)
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """What a writer holds, and for how long. Beyond it the oldest samples are dropped.

    The age stays below the server's duplicate window (120 s), so that sending again is safe.
    """

    delay_seconds: float = 0.25
    waiting_batches_max: int = 400
    in_flight_max: int = 16
    acknowledge_seconds: float = 2.0
    retry_seconds: float = 0.25
    age_max_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Payload:
    """An encoded batch on its way, with an id that makes sending it again safe."""

    id: str
    bytes: bytes
    samples: int
    until: float


class TelemetryWriter:
    """Writes one producer's telemetry under `sft.<name>.<producer>`, from within one event loop.

    A batch is sent with 500 samples or 250 ms after its first. While the log does not answer,
    batches wait, and the oldest are dropped and counted: what is lost makes NO DATA, never OK.
    """

    def __init__(
        self,
        client: Client,
        vantage: Vantage,
        name: str = PROBE,
        limits: WriterLimits | None = None,
    ) -> None:
        """Write for a vantage point. Its marks (`lagged`, `canary_failed`) are set per batch."""
        self._client = client
        self._stream = client.jetstream()
        self._vantage = vantage
        self._limits = limits or WriterLimits()
        self._subject = telemetry_subject(name, encode_token(vantage.producer))
        self._rows: dict[Vantage, list[Row]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[Payload] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._unacknowledged_since: float | None = None
        self.sent_samples = 0
        self.dropped_samples = 0

    @property
    def subject(self) -> str:
        """The subject of the batches."""
        return self._subject

    @property
    def waiting_batches(self) -> int:
        """How many batches are encoded and not yet acknowledged."""
        return len(self._waiting) + len(self._in_flight)

    @property
    def unacknowledged_seconds(self) -> float:
        """For how long nothing was acknowledged although something waits to be."""
        since = self._unacknowledged_since
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    def add(self, *rows: Row, lagged: bool = False, canary_failed: bool = False) -> None:
        """Collect rows (at most 500, kept in one batch) that were seen under these marks."""
        assert len(rows) <= SAMPLES_MAX, f"{len(rows)} rows at once"
        vantage = self._vantage
        if lagged or canary_failed:
            vantage = replace(vantage, lagged=lagged, canary_failed=canary_failed)
        collected = self._rows.setdefault(vantage, [])
        if len(collected) + len(rows) > SAMPLES_MAX:
            self._send_rows(vantage, collected)
            collected = self._rows[vantage] = []
        collected.extend(rows)
        if len(collected) == SAMPLES_MAX:
            self._send_rows(vantage, self._rows.pop(vantage))
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._limits.delay_seconds, self.flush)

    def publish(self, batch: Batch) -> None:
        """Send a batch whose columns exist already; too large a one is dropped and counted."""
        payload = encode_batch(batch)
        if len(payload) > self._bytes_max:
            self._drop(len(batch), "is over the message limit")
        else:
            self._enqueue(payload, len(batch))

    def _enqueue(self, payload: bytes, samples: int) -> None:
        now = asyncio.get_running_loop().time()
        until = now + self._limits.age_max_seconds
        if self._unacknowledged_since is None:
            self._unacknowledged_since = now
        self._waiting.append(Payload(new_id(), payload, samples, until))
        while len(self._waiting) > self._limits.waiting_batches_max:
            self._drop(self._waiting.popleft().samples, "waited while the log was unavailable")
        self._pump()

    def flush(self) -> None:
        """Send what was collected, however little."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        collected, self._rows = self._rows, {}
        for vantage, rows in collected.items():
            self._send_rows(vantage, rows)

    async def close(self, timeout_seconds: float = 2.0) -> None:
        """Send what is left, wait for it at most so long, and count the rest as dropped."""
        self.flush()
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while self._in_flight and (left := deadline - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._in_flight, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        waiting, self._waiting = self._waiting, deque()
        for payload in waiting:
            self._drop(payload.samples, "was not sent before the end")
        for task in list(self._in_flight):
            task.cancel()
        await asyncio.gather(*self._in_flight, return_exceptions=True)

    @property
    def _bytes_max(self) -> int:
        return int(self._client.max_payload) - 512

    def _send_rows(self, vantage: Vantage, rows: Sequence[Row]) -> None:
        """Encode rows; halve them until they fit into a message."""
        if not rows:
            return
        payload = encode_batch(batch_of(vantage, rows))
        if len(payload) <= self._bytes_max:
            self._enqueue(payload, len(rows))
        elif len(rows) == 1:
            self._drop(1, "is over the message limit")
        else:
            middle = len(rows) // 2
            self._send_rows(vantage, rows[:middle])
            self._send_rows(vantage, rows[middle:])

    def _pump(self) -> None:
        while self._waiting and len(self._in_flight) < self._limits.in_flight_max:
            task = asyncio.create_task(self._deliver(self._waiting.popleft()))
            self._in_flight.add(task)
            task.add_done_callback(self._delivered)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if task.cancelled():
            return
        assert task.exception() is None, task.exception()
        self._pump()

    async def _deliver(self, payload: Payload) -> None:
        """Send until acknowledged or too old; the id lets the server drop what it has already."""
        loop = asyncio.get_running_loop()
        acknowledged = False
        try:
            while not acknowledged and loop.time() < payload.until:
                acknowledged = await self._try(payload)
        finally:
            if acknowledged:
                self.sent_samples += payload.samples
                self._unacknowledged_since = loop.time() if self.waiting_batches > 1 else None
            else:
                self._drop(payload.samples, "was not acknowledged in time")

    async def _try(self, payload: Payload) -> bool:
        try:
            await self._stream.publish(
                self._subject,
                payload.bytes,
                timeout=self._limits.acknowledge_seconds,
                headers={Header.MSG_ID.value: payload.id},
            )
        except _UNCERTAIN:
            await asyncio.sleep(self._limits.retry_seconds)
            return False
        return True

    def _drop(self, samples: int, why: str) -> None:
        self.dropped_samples += samples
        _LOGGER.warning("telemetry of %d samples %s; it is dropped", samples, why)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch with its place: the message's sequence, when it was stored, what still waits."""

    subject: str
    sequence: int
    stored: datetime
    batch: Batch
    pending: int


class TelemetryReader:
    """Reads telemetry in order from a start and then live; what can't be read is counted."""

    def __init__(self, client: Client, filters: Sequence[str], start: Start) -> None:
        """Prepare to read what matches any of the filters (`sft.probe.>`)."""
        self._client = client
        self._filters = list(filters)
        self._start = start
        self._reader: OrderedReader | None = None
        self.unreadable_messages = 0

    async def batches(self) -> AsyncGenerator[list[StoredBatch], None]:
        """Give what has arrived, never ending; an outage of the log is waited out.

        The first list is given as soon as the reader stands, and may be empty. The stream's
        newest part is not synced: where it was lost, reading goes on from the new end.
        """
        while True:
            reader = self._reader = await self._open()
            try:
                yield []
                async for messages in reader.batches():
                    yield [stored for message in messages if (stored := self._read(message))]
            except LogLostEndError as error:
                self._start = Start(error.end + 1)
            else:
                return
            finally:
                await reader.close()

    async def _open(self) -> OrderedReader:
        while True:
            reader = OrderedReader(self._client, TELEMETRY_STREAM, self._filters, self._start)
            try:
                await reader.open()
            except _UNCERTAIN:
                await reader.close()
                await asyncio.sleep(REOPEN_SECONDS)
            else:
                return reader

    def _read(self, message: Message) -> StoredBatch | None:
        try:
            batch = decode_batch(message.payload)
        except UnreadableTelemetryError as error:
            self.unreadable_messages += 1
            _LOGGER.warning("telemetry message %d is skipped: %s", message.sequence, error)
            return None
        return StoredBatch(
            message.subject, message.sequence, message.stored, batch, message.pending
        )
