"""A simulated push consumer without acknowledgement: in order, numbered, with heartbeats."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nats.js.api import ConsumerInfo, DeliverPolicy

from scenarios.simulation.message import Message
from scenarios.simulation.process import BEGINNING, true_time

if TYPE_CHECKING:
    from nats.js.api import ConsumerConfig

    from scenarios.simulation.client import SimulatedSubscription
    from scenarios.simulation.connection import Connection
    from scenarios.simulation.server import Server
    from scenarios.simulation.stream import Stored, Stream

AT_ONCE_MAX = 200
INACTIVE_SECONDS = 5.0
NANOSECONDS = 1_000_000_000


class Consumer:
    """Delivers what matches from a start, for as long as somebody wants it."""

    def __init__(
        self, stream_name: str, stream: Stream, config: ConsumerConfig, server: Server
    ) -> None:
        self.stream_name, self.name = stream_name, str(config.name)
        self.inbox = str(config.deliver_subject)
        self.filters = tuple(config.filter_subjects or [">"])
        self.is_deleted = False
        self._stream, self._config, self._server = stream, config, server
        self._next = _start_of(stream, config)
        self._newest = _newest_only(stream, config, self.filters)
        self._delivered = 0
        self._quiet_since = 0.0
        self._bound: tuple[Connection, SimulatedSubscription] | None = None
        self._loop = asyncio.get_running_loop()
        self._beat_later()

    def info(self) -> ConsumerInfo:
        """Say how much waits to be delivered."""
        waiting = len(self._waiting())
        return ConsumerInfo(
            name=self.name,
            stream_name=self.stream_name,
            config=self._config,
            created=true_time(self._loop.time()),
            num_pending=waiting,
        )

    def bind(self, connection: Connection, subscription: SimulatedSubscription) -> None:
        """Somebody wants the messages: deliver what waits."""
        self._bound = (connection, subscription)
        waiting, self._newest = self._waiting(), []
        for begin in range(0, len(waiting), AT_ONCE_MAX):
            some = waiting[begin : begin + AT_ONCE_MAX]
            left = len(waiting) - begin
            self._send([self._message(one, left - place) for place, one in enumerate(some, 1)])

    def _waiting(self) -> list[Stored]:
        """Give what is to be delivered: of what was there already perhaps only the newest."""
        return [*self._newest, *self._stream.from_sequence(self.filters, self._next)]

    def unbind(self) -> None:
        """Nobody wants them now; after a while it is for good."""
        self._bound = None
        seconds = self._config.inactive_threshold or INACTIVE_SECONDS
        self._loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        if self._bound is None:
            self._server.expire(self)

    def follow(self, message: Stored) -> None:
        """Deliver a message that was just stored."""
        if self._bound is not None and message.sequence >= self._next:
            self._send([self._message(message, 0)])

    def _message(self, stored: Stored, pending: int) -> Message:
        assert self._bound is not None
        self._delivered += 1
        self._next = max(self._next, stored.sequence + 1)
        place = f"{stored.sequence}.{self._delivered}"
        since = stored.stored - BEGINNING
        whole = int(BEGINNING.timestamp()) + since.days * 86_400 + since.seconds
        time = whole * NANOSECONDS + since.microseconds * 1000
        reply = f"$JS.ACK.{self.stream_name}.{self.name}.1.{place}.{time}.{pending}"
        data = b"" if self._config.headers_only else stored.payload
        return Message(self._bound[0].client, stored.subject, reply, data, stored.headers)

    def _send(self, messages: list[Message]) -> None:
        assert self._bound is not None
        connection, subscription = self._bound
        self._quiet_since = self._loop.time()
        connection.deliver(_take_all, subscription, messages)

    def _beat_later(self) -> None:
        seconds = self._config.idle_heartbeat
        if seconds:
            self._loop.call_later(seconds, self._beat, seconds)

    def _beat(self, seconds: float) -> None:
        """Say that nothing is to be said, and how many messages were sent."""
        if self.is_deleted:
            return
        if self._bound is not None and not self._server.is_paused:
            headers = {"Status": "100", "Nats-Last-Consumer": str(self._delivered)}
            connection, subscription = self._bound
            if self._loop.time() - self._quiet_since >= seconds:
                message = Message(connection.client, self.inbox, "", b"", headers)
                connection.deliver(subscription.take, message)
        self._beat_later()


def _take_all(subscription: SimulatedSubscription, messages: list[Message]) -> None:
    for message in messages:
        subscription.take(message)


def _newest_only(stream: Stream, config: ConsumerConfig, filters: tuple[str, ...]) -> list[Stored]:
    if config.deliver_policy is DeliverPolicy.LAST_PER_SUBJECT:
        return stream.newest(filters)
    return []


def _start_of(stream: Stream, config: ConsumerConfig) -> int:
    match config.deliver_policy:
        case DeliverPolicy.BY_START_SEQUENCE:
            return config.opt_start_seq or 1
        case DeliverPolicy.BY_START_TIME:
            assert config.opt_start_time is not None
            return stream.from_time(config.opt_start_time)
        case DeliverPolicy.NEW | DeliverPolicy.LAST_PER_SUBJECT:
            return stream.last + 1
        case DeliverPolicy.ALL | None:
            return 1
        case other:
            raise NotImplementedError(other)
