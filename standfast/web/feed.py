"""What changed, told to every open page: bounded clients, bounded queues, resumable."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nats.errors import Error as NatsError

from events.codec import decode_event
from events.subjects import PROJECTED_SUBJECT
from projections.reading import EventFilter, NotReadyError, events, projection_states
from projections.texts import describe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from projections.base import Row
    from projections.latency import LatencyWindow
    from projections.reading import Reading

CLIENTS_MAX = 200
QUEUE_MAX = 64
EVENTS_MAX = 1_000
EVENTS_TOLD_MAX = 50
LOOK_SECONDS = 1.0
LATENCY_SECONDS = 2.0
LATENCY_SERVICES_MAX = 300
HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 1_000
KINDS = {
    "service": "services",
    "incident": "incidents",
    "alert": "alerts",
    "recovery": "recoveries",
}


def message(event: str, content: dict[str, Any], sequence: int | None = None) -> bytes:
    """Give one server-sent event."""
    place = "" if sequence is None else f"id: {sequence}\n"
    return f"event: {event}\n{place}data: {json.dumps(content)}\n\n".encode()


@dataclass(eq=False, slots=True)
class Listener:
    """One client: what waits to be sent to it, and whether it was too slow."""

    queue: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))
    ended: bool = False

    def put(self, content: bytes) -> None:
        """Queue a message; a client that is too slow is ended and begins anew."""
        if self.ended:
            return
        try:
            self.queue.put_nowait(content)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """Let the client go after what it can still be told: that it must look anew."""
        self.ended = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Feed:
    """Looks for changes whenever it is woken, or once a second, and tells all listeners."""

    def __init__(
        self, reading: Reading, window: LatencyWindow, clients_max: int = CLIENTS_MAX
    ) -> None:
        """Tell of what changes in the projections and in the window of probes."""
        self._reading = reading
        self._window = window
        self._clients_max = clients_max
        self._listeners: set[Listener] = set()
        self._wake = asyncio.Event()
        self._closed = False
        self._revision = 0
        self.sequence = 0

    async def run(self, client: Client) -> None:
        """Look and tell until cancelled; the projector's notices wake it at once."""
        notices = await client.subscribe(PROJECTED_SUBJECT, cb=self._noticed)
        self.sequence = await asyncio.to_thread(self._projected)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tell_changes())
                group.create_task(self._tell_latency())
        finally:
            self.close()
            with suppress(NatsError, OSError):
                await notices.unsubscribe()

    def look_anew(self, reason: str) -> None:
        """Have every page look anew, though nothing was projected."""
        self._broadcast(message("reset", {"reason": reason}, self.sequence))

    def close(self) -> None:
        """End all listeners; none is taken any more."""
        self._closed = True
        for listener in list(self._listeners):
            listener.end()

    def listen(self, after: int | None) -> AsyncIterator[bytes] | None:
        """Give the messages from a sequence on (from now, when None); None if there is no room."""
        if self._closed or len(self._listeners) >= self._clients_max:
            return None
        return self._messages(after)

    async def _messages(self, after: int | None) -> AsyncIterator[bytes]:
        """Listen from the first message on: who never asks for one takes no place."""
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
            yield await self._greeting(after)
            while True:
                content = await self._next(listener)
                if content is None:
                    yield message("reset", {"reason": "look anew"})
                    return
                yield content
        finally:
            self._listeners.discard(listener)

    async def _greeting(self, after: int | None) -> bytes:
        """Give what a client missed in one message, or tell it to look anew.

        A client may know more than the feed has looked at: a page reads the projections too.
        """
        if after is None:
            return message("hello", {"sequence": self.sequence}, self.sequence)
        sequence = self.sequence
        if after > sequence:
            sequence = await asyncio.to_thread(self._projected)
        if after > sequence:
            return message("reset", {"reason": "that sequence is not there"}, sequence)
        rows = await asyncio.to_thread(self._events, after)
        if len(rows) >= EVENTS_MAX:
            return message("reset", {"reason": "too much has changed"}, sequence)
        return message("change", change_of(rows, sequence), sequence)

    async def _next(self, listener: Listener) -> bytes | None:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                return await listener.queue.get()
        except TimeoutError:
            return b": here\n\n"

    async def _noticed(self, _message: object) -> None:
        self._wake.set()

    async def _tell_changes(self) -> None:
        while True:
            rows = await asyncio.to_thread(self._events, self.sequence)
            if rows:
                await self._tell(rows)
                continue
            self._wake.clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                await self._look_for_new_life()

    async def _tell(self, rows: list[Row]) -> None:
        self.sequence = rows[-1]["sequence"]
        content = message("change", change_of(rows, self.sequence), self.sequence)
        self._broadcast(content)

    async def _look_for_new_life(self) -> None:
        """After the log was replaced its sequences begin anew; pages must look anew too."""
        projected = await asyncio.to_thread(self._projected)
        if projected < self.sequence:
            self.sequence = projected
            self._broadcast(message("reset", {"reason": "the log is another one"}, projected))

    async def _tell_latency(self) -> None:
        while True:
            await asyncio.sleep(LATENCY_SECONDS)
            names, self._revision = self._window.changed(self._revision, LATENCY_SERVICES_MAX)
            if names and self._listeners:
                points = {name: self._window.values(name) for name in set(names)}
                self._broadcast(message("latency", {"services": points}))

    def _broadcast(self, content: bytes) -> None:
        for listener in list(self._listeners):
            listener.put(content)

    def _events(self, after: int) -> list[Row]:
        try:
            with self._reading.moment() as connection:
                return events(connection, EventFilter(after=after, limit=EVENTS_MAX))
        except NotReadyError:
            return []

    def _projected(self) -> int:
        try:
            with self._reading.moment() as connection:
                return min((s.sequence for s in projection_states(connection)), default=0)
        except NotReadyError:
            return self.sequence


def change_of(rows: list[Row], sequence: int) -> dict[str, Any]:
    """Give which things changed, by kind, with the last events as sentences."""
    changed: dict[str, list[str]] = {name: [] for name in KINDS.values()}
    for row in rows:
        names = changed.get(KINDS.get(row["kind"], ""))
        name = row["entity"].partition("/")[2]
        if names is not None and name not in names:
            names.append(name)
    told = [_told(row) for row in rows if row["kind"] in KINDS][-EVENTS_TOLD_MAX:]
    return {"sequence": sequence, "changed": changed, "events": told}


def _told(row: Row) -> dict[str, Any]:
    try:
        text = describe(decode_event(row["type"], json.loads(row["data"])), row["entity"])
    except ValueError:
        text = row["type"]
    return {
        "sequence": row["sequence"],
        "id": row["id"],
        "entity": row["entity"],
        "type": row["type"],
        "time": row["time"],
        "text": text,
    }
