"""A proxy before a NATS server: it can lose what is said, hold it back, delay it, or cut it off."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from scenarios.faults.frames import Frame, FrameReader, client_name, server_name
from scenarios.loopback import HOST

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES = 64 * 1024
EVERYBODY = ""
Way = Literal["to server", "to client"]
BOTH: tuple[Way, ...] = ("to server", "to client")


@dataclass(slots=True, eq=False)
class Loss:
    """Lose the answers to what a client publishes under a prefix: the next `left`, or a share.

    Only to what holds `needle`, where one is given. What is published passes: only its publisher
    never hears of it.
    """

    client: str = EVERYBODY
    prefix: str = "sf."
    left: int | None = 1
    share: float = 1.0
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311
    needle: bytes = b""
    lost: int = 0

    def takes(self, client: str, frame: Frame) -> bool:
        """Say whether the answer to this publish is to be lost, and count it."""
        if self.left == 0 or not frame.reply or not frame.subject.startswith(self.prefix):
            return False
        if self.client not in (EVERYBODY, client) or self.needle not in frame.raw:
            return False
        if self.chance.random() >= self.share:
            return False
        if self.left is not None:
            self.left -= 1
        return True


@dataclass(slots=True, eq=False)
class Hold:
    """Let nothing of a client pass in some directions; it is kept, and passes later.

    `held` counts the pieces that came and did not pass at once.
    """

    client: str = EVERYBODY
    ways: tuple[Way, ...] = BOTH
    held: int = 0


@dataclass(slots=True, eq=False)
class Delay:
    """Let everything of a client pass so much later; `delayed` counts the pieces."""

    client: str
    seconds: float
    delayed: int = 0


@dataclass(slots=True, eq=False)
class Sight:
    """Waits for a client to publish something under a prefix that holds some bytes."""

    client: str
    prefix: str
    needle: bytes
    seen: Callable[[Frame], None]

    def look(self, client: str, frame: Frame) -> None:
        """Tell of what is waited for."""
        is_it = frame.is_publish and frame.subject.startswith(self.prefix)
        if is_it and self.client in (EVERYBODY, client) and self.needle in frame.raw:
            self.seen(frame)


Rule = Loss | Hold | Delay | Sight


@dataclass(slots=True, eq=False)
class _Link:
    """One client's connection through the proxy."""

    client: str = ""
    doomed: dict[str, Loss] = field(default_factory=dict)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def close(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class NatsProxy:
    """Forwards TCP on loopback to a server. `speaks_nats` is false for the servers' own routes.

    `rules` are in force from `add` to `remove`; several may be at once.
    """

    def __init__(self, port_behind: int, *, speaks_nats: bool = True) -> None:
        """Prepare; nothing listens before `start`."""
        self.port_behind = port_behind
        self.port = 0
        self.rules: list[Rule] = []
        self._speaks_nats = speaks_nats
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()

    async def start(self, port: int = 0) -> int:
        """Listen, on a free port where none is given; gives the port."""
        self._server = await asyncio.start_server(self._accept, HOST, port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, rule: Rule) -> None:
        """Put a rule in force."""
        self.rules.append(rule)
        self._wake()

    def remove(self, rule: Rule) -> None:
        """Take a rule back; what a hold kept passes now."""
        if rule in self.rules:
            self.rules.remove(rule)
        self._wake()

    def cut(self, client: str = EVERYBODY) -> int:
        """Cut the connections of a client, or all; gives how many there were."""
        links = [link for link in self._links if client in (EVERYBODY, link.client)]
        for link in links:
            link.close()
        return len(links)

    def clients(self) -> list[str]:
        """Give the names of who is connected, each as often as it is."""
        return sorted(link.client for link in self._links if link.client)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writers=[writer])
        try:
            behind, to_behind = await asyncio.open_connection(HOST, self.port_behind)
        except OSError:
            link.close()
            return
        link.writers.append(to_behind)
        self._links.add(link)
        ways: tuple[tuple[Way, asyncio.StreamReader, asyncio.StreamWriter], ...] = (
            ("to server", reader, to_behind),
            ("to client", behind, writer),
        )
        for way, source, target in ways:
            task = asyncio.create_task(self._pump(link, way, source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self,
        link: _Link,
        way: Way,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
    ) -> None:
        frames = FrameReader()
        try:
            with contextlib.suppress(OSError):
                while chunk := await source.read(CHUNK_BYTES):
                    whole = self._whole(link, way, frames, chunk)
                    kept = self._kept(link, way, whole) if self._speaks_nats else chunk
                    await self._wait(link, way)
                    target.write(kept)
                    await target.drain()
                    self._tell(link, way, whole)
        finally:
            self._links.discard(link)
            link.close()

    def _whole(self, link: _Link, way: Way, reader: FrameReader, chunk: bytes) -> list[Frame]:
        """Cut what clients and servers say into frames; of a route only learn who it is."""
        if self._speaks_nats:
            return reader.feed(chunk)
        if way == "to server" and not link.client:
            link.client = server_name(chunk)
        return []

    def _kept(self, link: _Link, way: Way, frames: list[Frame]) -> bytes:
        """Give what is to pass of the frames; a doomed answer is not."""
        if way == "to client":
            return b"".join(frame.raw for frame in frames if not self._is_lost(link, frame))
        for frame in frames:
            if frame.is_publish:
                self._doom(link, frame)
            else:
                link.client = client_name(frame) or link.client
        return b"".join(frame.raw for frame in frames)

    def _doom(self, link: _Link, frame: Frame) -> None:
        for rule in self.rules:
            if isinstance(rule, Loss) and rule.takes(link.client, frame):
                link.doomed[frame.reply] = rule

    def _tell(self, link: _Link, way: Way, frames: list[Frame]) -> None:
        """Tell those who wait for it what has just passed to the server."""
        sights = [rule for rule in self.rules if isinstance(rule, Sight)]
        if way == "to server":
            for frame in frames:
                for sight in sights:
                    sight.look(link.client, frame)

    def _is_lost(self, link: _Link, frame: Frame) -> bool:
        loss = link.doomed.pop(frame.subject, None) if frame.is_message else None
        if loss is not None:
            loss.lost += 1
        return loss is not None

    async def _wait(self, link: _Link, way: Way) -> None:
        delays = [
            rule
            for rule in self.rules
            if isinstance(rule, Delay) and rule.client in (EVERYBODY, link.client)
        ]
        for delay in delays:
            delay.delayed += 1
        if delays:
            await asyncio.sleep(sum(delay.seconds for delay in delays))
        counted: set[Hold] = set()
        while holds := self._holds(link, way):
            for hold in holds - counted:
                hold.held += 1
            counted |= holds
            await self._changed.wait()

    def _holds(self, link: _Link, way: Way) -> set[Hold]:
        return {
            rule
            for rule in self.rules
            if isinstance(rule, Hold)
            and way in rule.ways
            and rule.client in (EVERYBODY, link.client)
        }
