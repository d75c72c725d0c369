"""A simulated nats-server: subjects, streams, fences and ordered consumers, in simulated time."""

from __future__ import annotations

import asyncio
import json
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from nats.js.api import PubAck, RawStreamMsg, StreamInfo
from nats.js.errors import BadRequestError

from scenarios.simulation.answers import (
    EXPECTED_HEADER,
    FULL,
    NO_CONSUMER,
    NO_MESSAGE,
    NO_STREAM,
    STREAM_HEADER,
    WRONG_STREAM,
    Refusal,
    info_of,
    raw_of,
)
from scenarios.simulation.consumer import Consumer
from scenarios.simulation.interest import Interest, matches
from scenarios.simulation.message import NO_RESPONDERS, Message
from scenarios.simulation.process import true_time
from scenarios.simulation.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.js.api import ConsumerConfig, ConsumerInfo, StreamConfig

    from scenarios.simulation.client import SimulatedSubscription
    from scenarios.simulation.connection import Connection
    from scenarios.simulation.stream import Stored

API = "$JS.API.STREAM."
Wanting = tuple["Connection", "SimulatedSubscription"]


class Server:
    """The server. `stored(stream, message)` is called for each message that lands."""

    def __init__(self, stored: Callable[[str, Stored], None]) -> None:
        self.context = copy_context()
        self.is_up = True
        self.is_full, self.refusals = False, 0
        self.streams: dict[str, Stream] = {}
        self.connections: dict[Connection, str] = {}
        self._stored = stored
        self._interest: Interest[Wanting] = Interest()
        self._wanted: dict[Connection, dict[int, SimulatedSubscription]] = {}
        self._inboxes: dict[str, Connection] = {}
        self._consumers: dict[str, Consumer] = {}
        self._following: dict[str, Interest[Consumer]] = {}
        self._by_inbox: dict[str, Consumer] = {}
        self._number = 0
        self.is_paused = False
        self._backlog: list[tuple[Connection, Callable[..., None], tuple[Any, ...]]] = []
        self._loop = asyncio.get_running_loop()

    def take(
        self, connection: Connection, act: Callable[..., None], arguments: tuple[Any, ...]
    ) -> None:
        """Do what arrived; later where the server is stopped."""
        if self.is_paused:
            self._backlog.append((connection, act, arguments))
        elif connection in self.connections:
            act(connection, *arguments)

    def pause(self) -> None:
        """Stop as a stopped process: what arrives is done when it goes on."""
        self.is_paused = True

    def resume(self) -> None:
        """Go on."""
        self.is_paused = False
        backlog, self._backlog = self._backlog, []
        for connection, act, arguments in backlog:
            self.take(connection, act, arguments)

    def kill(self) -> None:
        """End: connections and consumers are lost, what was stored is not."""
        self.is_up, self.is_paused = False, False
        self._backlog.clear()
        for consumer in list(self._consumers.values()):
            self._delete(consumer)
        for connection in list(self.connections):
            connection.cut()

    def start(self) -> None:
        """Start again over what was stored."""
        self.is_up = True

    def join(self, connection: Connection) -> str:
        """Welcome a client and give it the beginning of its inboxes."""
        self._number += 1
        inbox = f"_INBOX.{self._number}"
        self.join_again(connection, inbox)
        return inbox

    def join_again(self, connection: Connection, inbox: str) -> None:
        """Welcome a client that was here before."""
        self.connections[connection] = inbox
        self._inboxes[inbox] = connection

    def forget(self, connection: Connection) -> None:
        """Drop a connection that was cut or ended."""
        inbox = self.connections.pop(connection, None)
        if inbox is not None:
            del self._inboxes[inbox]
        for subscription in list(self._wanted.pop(connection, {}).values()):
            self._lose(connection, subscription)

    # --- messages ------------------------------------------------------------------------

    def subscribe(self, connection: Connection, subscription: SimulatedSubscription) -> None:
        """Note what a client wants."""
        self._wanted.setdefault(connection, {})[subscription.number] = subscription
        self._interest.add(subscription.subject, (connection, subscription))
        consumer = self._by_inbox.get(subscription.subject)
        if consumer is not None:
            consumer.bind(connection, subscription)

    def unsubscribe(self, connection: Connection, subscription: SimulatedSubscription) -> None:
        """Note what a client wants no longer."""
        if self._wanted.get(connection, {}).pop(subscription.number, None) is not None:
            self._lose(connection, subscription)

    def _lose(self, connection: Connection, subscription: SimulatedSubscription) -> None:
        self._interest.remove(subscription.subject, (connection, subscription))
        consumer = self._by_inbox.get(subscription.subject)
        if consumer is not None:
            consumer.unbind()

    def ping(self, connection: Connection, inbox: str) -> None:
        """Answer that all before it was taken."""
        self._answer(connection, inbox, b"")

    def publish(
        self,
        connection: Connection,
        subject: str,
        payload: bytes,
        headers: dict[str, str] | None,
        reply: str,
    ) -> None:
        """Store a message, or pass it on to whoever wants it."""
        for stream in self.streams.values():
            if matches((stream.config.subjects or [""])[0], subject):
                self._store(connection, stream, subject, payload, headers, reply)
                return
        if subject.startswith(API):
            self._answer(connection, reply, self._asked_in_json(subject, payload))
            return
        if subject.startswith("_INBOX."):
            self._pass_answer(subject, payload)
            return
        wanting = self._interest.find(subject)
        if not wanting and reply:
            self._answer(connection, reply, b"", NO_RESPONDERS)
        for other, subscription in wanting:
            message = Message(other.client, subject, reply, payload, headers)
            other.deliver(subscription.take, message)

    def _pass_answer(self, subject: str, payload: bytes) -> None:
        asker = self._inboxes.get(subject.rpartition(".")[0])
        if asker is not None:
            self._answer(asker, subject, payload)

    def _answer(
        self,
        connection: Connection,
        inbox: str,
        data: Any,  # noqa: ANN401  (each operation has a type of its own)
        headers: dict[str, str] | None = None,
    ) -> None:
        client = connection.client
        connection.deliver(client.answered, Message(client, inbox, "", data, headers))

    def _store(
        self,
        connection: Connection,
        stream: Stream,
        subject: str,
        payload: bytes,
        headers: dict[str, str] | None,
        reply: str,
    ) -> None:
        refusal = self._refusal(stream, subject, headers)
        if refusal is not None:
            self.refusals += 1
            self._answer(connection, reply, refusal)
            return
        name = str(stream.config.name)
        message = stream.store(subject, payload, headers, true_time(self._loop.time()))
        self._stored(name, message)
        for consumer in self._following[name].find(subject):
            consumer.follow(message)
        lost = connection.weather.acknowledgements_lost
        if reply and not (lost and connection.chance.random() < lost):
            self._answer(connection, reply, PubAck(stream=name, seq=message.sequence))

    def _refusal(
        self, stream: Stream, subject: str, headers: dict[str, str] | None
    ) -> Refusal | None:
        given = headers or {}
        expected, last = given.get(EXPECTED_HEADER), stream.last_sequence_of(subject)
        if given.get(STREAM_HEADER, stream.config.name) != stream.config.name:
            return WRONG_STREAM
        if expected is not None and int(expected) != last:
            description = f"wrong last sequence: {last}"
            return BadRequestError, {"code": 400, "err_code": 10071, "description": description}
        return FULL if self.is_full else None

    # --- streams -------------------------------------------------------------------------

    def call(
        self, connection: Connection, operation: str, arguments: tuple[Any, ...], inbox: str
    ) -> None:
        """Answer a question about streams and consumers."""
        answer = getattr(self, f"_{operation}")(*arguments)
        self._answer(connection, inbox, answer)

    def _asked_in_json(self, subject: str, payload: bytes) -> bytes:
        """Answer a question about streams as the server's own protocol has it."""
        verb = subject.removeprefix(API)
        assert verb == "LIST", verb
        wanted = json.loads(payload).get("subject")
        found = [
            {"config": stream.config.as_dict(), "state": {"last_seq": stream.last}}
            for stream in self.streams.values()
            if wanted is None or stream.config.subjects == [wanted]
        ]
        return json.dumps({"streams": found}).encode()

    def _stream_info(self, name: str) -> StreamInfo | Refusal:
        stream = self.streams.get(name)
        return NO_STREAM if stream is None else info_of(stream)

    def _add_stream(self, config: StreamConfig) -> StreamInfo:
        stream = self.streams[str(config.name)] = Stream(config)
        self._following[str(config.name)] = Interest()
        return info_of(stream)

    def _add_consumer(self, name: str, config: ConsumerConfig) -> ConsumerInfo | Refusal:
        stream = self.streams.get(name)
        if stream is None:
            return NO_STREAM
        inbox = str(config.deliver_subject)
        consumer = Consumer(name, stream, config, self)
        self._consumers[consumer.name] = self._by_inbox[inbox] = consumer
        for pattern in consumer.filters:
            self._following[name].add(pattern, consumer)
        info = consumer.info()
        for connection, subscription in self._interest.find(inbox):
            consumer.bind(connection, subscription)
        return info

    def _delete_consumer(self, name: str, consumer: str) -> bool | Refusal:
        if name not in self.streams:
            return NO_STREAM
        known = self._consumers.get(consumer)
        if known is None:
            return NO_CONSUMER
        self._delete(known)
        return True

    def _delete(self, consumer: Consumer) -> None:
        consumer.is_deleted = True
        self._consumers.pop(consumer.name, None)
        self._by_inbox.pop(consumer.inbox, None)
        for pattern in consumer.filters:
            self._following[consumer.stream_name].remove(pattern, consumer)

    def expire(self, consumer: Consumer) -> None:
        """Delete a consumer whose messages nobody wants any more."""
        if not consumer.is_deleted:
            self._delete(consumer)

    def _get_msg(
        self,
        name: str,
        sequence: int | None,
        subject: str | None,
        following: bool,  # noqa: FBT001
    ) -> RawStreamMsg | Refusal:
        stream = self.streams.get(name)
        if stream is None:
            return NO_STREAM
        if following:
            found = stream.next_of(subject or ">", sequence or 1)
        elif subject is not None:
            found = stream.last_of(subject)
        else:
            found = stream.get(sequence or 0)
        return NO_MESSAGE if found is None else raw_of(name, found)
