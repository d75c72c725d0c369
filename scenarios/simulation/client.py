"""A simulated NATS client: as much of nats-py's surface as Standfast uses, with its errors."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nats.errors import (
    ConnectionClosedError,
    MaxPayloadError,
    NoRespondersError,
)
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import NoStreamResponseError

from events.server import MESSAGE_BYTES_MAX
from scenarios.simulation.connection import Connection
from scenarios.simulation.message import NO_RESPONDERS, Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from nats.js.api import (
        ConsumerConfig,
        ConsumerInfo,
        PubAck,
        RawStreamMsg,
        StreamConfig,
        StreamInfo,
    )

    from scenarios.simulation.process import Process
    from scenarios.simulation.server import Server

    Callback = Callable[["Message"], Awaitable[None]]

FLUSH_SECONDS = 10.0


class SimulatedSubscription:
    """A subscription: its callback gets one message after the other."""

    def __init__(
        self, client: SimulatedClient, number: int, subject: str, callback: Callback
    ) -> None:
        self.subject, self.number = subject, number
        self._client, self._callback = client, callback
        self._arrived: deque[Message] = deque()
        self._working = False
        self._is_over = False

    def take(self, message: Message) -> None:
        """Take a message in."""
        if self._is_over:
            return
        self._arrived.append(message)
        if not self._working:
            self._working = True
            self._client.connection.process.start(self._work())

    async def _work(self) -> None:
        try:
            while self._arrived and not self._is_over:
                await self._callback(self._arrived.popleft())
        finally:
            self._working = False

    async def unsubscribe(self) -> None:
        """Want nothing more."""
        self._client.check_open()
        self._is_over = True
        self._client.drop(self)

    async def drain(self) -> None:
        """Want nothing new, and wait until what has arrived was handled."""
        self._client.check_open()
        self._client.drop(self)
        await self._client.flush()
        while self._working:  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0)
        self._is_over = True


class SimulatedClient:
    """One client of the simulated server, in a simulated process."""

    def __init__(self, server: Server, process: Process, chance: Random) -> None:
        self.stats = {"reconnects": 0}
        self.max_payload = MESSAGE_BYTES_MAX
        self.is_closed = False
        self.connection = Connection(server, self, process, chance)
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._inbox = server.join(self.connection)
        self._number = 0
        self._asked: dict[str, asyncio.Future[Message]] = {}
        self._subscriptions: dict[int, SimulatedSubscription] = {}

    @property
    def is_connected(self) -> bool:
        """Say whether there is a connection now."""
        return self.connection.is_open and not self.is_closed

    def check_open(self) -> None:
        """Raise `ConnectionClosedError` where the client was closed."""
        if self.is_closed:
            raise ConnectionClosedError

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        reply: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send a message."""
        self.check_open()
        if len(payload) > self.max_payload:
            raise MaxPayloadError
        self.connection.send(self._server.publish, subject, payload, headers, reply)

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,  # noqa: ASYNC109  (as nats-py has it)
        headers: dict[str, str] | None = None,
    ) -> Message:
        """Send a message and give the answer. Raises `TimeoutError`, `NoRespondersError`."""
        self.check_open()
        if len(payload) > self.max_payload:
            raise MaxPayloadError
        message = await self.ask(timeout, self._server.publish, subject, payload, headers)
        if message.headers == NO_RESPONDERS:
            raise NoRespondersError
        return message

    async def ask(self, seconds: float, act: Callable[..., None], *arguments: Any) -> Message:
        """Let something happen at the server that answers to an inbox, and give the answer."""
        self.check_open()
        self._number += 1
        inbox = f"{self._inbox}.{self._number}"
        future: asyncio.Future[Message] = self._loop.create_future()
        self._asked[inbox] = future
        self.connection.send(act, *arguments, inbox)
        timer = self._loop.call_later(seconds, _expire, future)
        try:
            return await future
        finally:
            timer.cancel()
            del self._asked[inbox]

    def answered(self, message: Message) -> None:
        """Take an answer in."""
        future = self._asked.get(message.subject)
        if future is not None and not future.done():
            future.set_result(message)

    async def subscribe(
        self, subject: str, cb: Callback, pending_bytes_limit: int = 0
    ) -> SimulatedSubscription:
        """Want the messages of a subject."""
        del pending_bytes_limit
        self.check_open()
        self._number += 1
        subscription = SimulatedSubscription(self, self._number, subject, cb)
        self._subscriptions[self._number] = subscription
        self.connection.send(self._server.subscribe, subscription)
        return subscription

    def drop(self, subscription: SimulatedSubscription) -> None:
        """Forget a subscription."""
        if self._subscriptions.pop(subscription.number, None) is not None:
            self.connection.send(self._server.unsubscribe, subscription)

    def connected_again(self) -> None:
        """Tell the server anew what is wanted."""
        self.stats["reconnects"] += 1
        self._server.join_again(self.connection, self._inbox)
        for subscription in self._subscriptions.values():
            self.connection.send(self._server.subscribe, subscription)

    async def flush(self, timeout: float = FLUSH_SECONDS) -> None:  # noqa: ASYNC109
        """Wait until the server has taken all that was sent."""
        await self.ask(timeout, self._server.ping)

    def new_inbox(self) -> str:
        """Give a subject that nobody else has."""
        self._number += 1
        return f"_INBOX.own.{self._inbox[7:]}.{self._number}"

    async def close(self) -> None:
        """Close for good."""
        self.is_closed = True
        self.connection.end()

    def jetstream(self) -> SimulatedJetStream:
        """Give what publishes into streams."""
        return SimulatedJetStream(self)

    def jsm(self, timeout: float = 5.0) -> SimulatedManager:
        """Give what asks about streams."""
        return SimulatedManager(self, timeout)

    async def call(self, seconds: float, operation: str, *arguments: Any) -> Any:  # noqa: ANN401
        """Ask the server something about its streams. Raises what it answers."""
        answer = await self.ask(seconds, self._server.call, operation, arguments)
        return _unwrapped(answer.data)


@dataclass(frozen=True, slots=True)
class SimulatedJetStream:
    """Publishes into streams."""

    client: SimulatedClient

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 5.0,  # noqa: ASYNC109
        headers: dict[str, str] | None = None,
    ) -> PubAck:
        """Store a message and give where. Raises `APIError`, `TimeoutError`."""
        try:
            answer = await self.client.request(subject, payload, timeout, headers)
        except NoRespondersError:
            raise NoStreamResponseError from None
        acknowledged: PubAck = _unwrapped(answer.data)
        return acknowledged


@dataclass(frozen=True, slots=True)
class SimulatedManager:
    """Asks about streams and makes consumers. Each raises `APIError` and `TimeoutError`."""

    client: SimulatedClient
    seconds: float

    async def stream_info(self, name: str) -> StreamInfo:
        """Give what is known of a stream."""
        info: StreamInfo = await self.client.call(self.seconds, "stream_info", name)
        return info

    async def add_stream(self, config: StreamConfig) -> StreamInfo:
        """Create a stream."""
        info: StreamInfo = await self.client.call(self.seconds, "add_stream", config)
        return info

    async def add_consumer(self, stream: str, config: ConsumerConfig) -> ConsumerInfo:
        """Create a consumer."""
        info: ConsumerInfo = await self.client.call(self.seconds, "add_consumer", stream, config)
        return info

    async def delete_consumer(self, stream: str, consumer: str) -> bool:
        """Delete a consumer."""
        done: bool = await self.client.call(self.seconds, "delete_consumer", stream, consumer)
        return done

    async def get_msg(
        self,
        stream: str,
        seq: int | None = None,
        subject: str | None = None,
        *,
        direct: bool = False,
        next: bool = False,  # noqa: A002  (as nats-py has it)
    ) -> RawStreamMsg:
        """Give one message from the stream's leader."""
        assert not direct, "what decides asks the leader"
        message: RawStreamMsg = await self.client.call(
            self.seconds, "get_msg", stream, seq, subject, next
        )
        return message


def _expire(future: asyncio.Future[Message]) -> None:
    if not future.done():
        future.set_exception(NatsTimeoutError())


def _unwrapped(data: Any) -> Any:  # noqa: ANN401  (each operation has a type of its own)
    if isinstance(data, tuple):
        kind, fields = data
        raise kind(**fields)
    return data
