"""What a log can be made of again: a backup, or an archive. Both are checked before anything."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from events.archive import Archive, UnusableArchiveError
from events.commit import digest_of
from events.log_backup import Backup
from events.message import STORED_HEADER
from events.snapshots import restore_snapshot
from events.state_stream import Content, ask_streams

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from nats.aio.client import Client
    from nats.js.api import PubAck

    from events.identity import LogIdentity
    from events.reader import Message
    from standfast.keeping.making import Progress

AT_ONCE_MAX = 256
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GAP = "gap"
_SERVERS_OWN = "Nats-"


class NotImportedError(Exception):
    """The server stored a commit elsewhere than it belongs; the message says which."""


class Source(Protocol):
    """A log in a file: whose it is, up to where, and how a stream is made of it."""

    identity: LogIdentity
    made: datetime
    head: int
    head_digest: bytes
    config: Content
    bytes: int
    what: str

    async def fill(self, client: Client, config: Content, progress: Progress) -> None:
        """Make a stream by these settings, which nobody else writes to."""
        ...


class BackupSource:
    """A backup: the server's own snapshot, with its sequences and times."""

    what = "backup"

    def __init__(self, path: Path) -> None:
        """Read it through. Raises `UnusableBackupError` and `OSError`."""
        self._backup = Backup(path)
        ending, heading = self._backup.check(), self._backup.heading
        self.identity, self.made, self.config = heading.identity, heading.made, heading.config
        self.head, self.head_digest = ending.head, ending.head_digest
        self.bytes = int(heading.state["bytes"])

    async def fill(self, client: Client, config: Content, progress: Progress) -> None:
        """Unpack the snapshot. Raises `SnapshotFailedError`."""
        progress("unpacking the backup", 0, 1)
        state = self._backup.heading.state
        await restore_snapshot(client, config, state, self._backup.chunks())


class ArchiveSource:
    """An archive: commits one by one. When each was stored first goes with it as a header."""

    what = "archive"

    def __init__(self, path: Path) -> None:
        """Read it through. Raises `UnusableArchiveError` and `OSError`."""
        self._archive = Archive(path)
        heading = self._archive.heading
        if heading.after:
            raise UnusableArchiveError(f"{path}: only the part of a log after {heading.after}")
        self.identity, self.made = heading.identity, heading.made
        self.config: Content = {}
        self.first = self.head = self.bytes = 0
        self.head_digest = b""
        for message in self._archive.messages():
            self.first = self.first or message.sequence
            self.head, self.head_digest = message.sequence, digest_of(message.payload)
            self.bytes += len(message.payload) + len(message.subject)

    async def fill(self, client: Client, config: Content, progress: Progress) -> None:
        """Publish commit by commit, each at its own sequence. Raises `NotImportedError`."""
        beside = str(config["subjects"][0]).removesuffix(">")
        await ask_streams(client, f"CREATE.{config['name']}", _taking(config, beside, self.first))
        writer = _Writer(client, str(config["name"]), beside, self.first - 1)
        for message in self._archive.messages():
            await writer.add(message)
            progress("importing the archive", message.sequence, self.head)
        await writer.finish()


def _taking(config: Content, beside: str, first: int) -> Content:
    """Give settings by which commits written beside are stored under their own subjects."""
    transform = {"src": f"{beside}>", "dest": "sf.>"}
    return {**config, "subject_transform": transform, "first_seq": max(1, first)}


class _Writer:
    """Writes commits in order, many under way; where some are missing it leaves a gap."""

    def __init__(self, client: Client, stream: str, beside: str, last: int) -> None:
        self._client, self._stream, self._beside = client, stream, beside
        self._last = max(0, last)
        self._under_way: list[asyncio.Task[int]] = []
        self._gaps: list[int] = []

    async def add(self, message: Message) -> None:
        while self._last < message.sequence - 1:
            await self._put(f"{self._beside}{GAP}", b"", {})
            self._gaps.append(self._last)
        subject = self._beside + message.subject.removeprefix("sf.")
        await self._put(subject, message.payload, _headers_of(message))

    async def finish(self) -> None:
        await self._settle()
        for sequence in self._gaps:
            await self._client.jsm().delete_msg(self._stream, sequence)

    async def _put(self, subject: str, payload: bytes, headers: dict[str, str]) -> None:
        expected = {**headers, "Nats-Expected-Last-Sequence": str(self._last)}
        publish = self._client.jetstream().publish(subject, payload, headers=expected)
        self._under_way.append(asyncio.create_task(_sequence_of(publish)))
        self._last += 1
        if len(self._under_way) >= AT_ONCE_MAX:
            await self._settle()

    async def _settle(self) -> None:
        stored, self._under_way = await asyncio.gather(*self._under_way), []
        if stored and stored[-1] != self._last:
            raise NotImportedError(f"commit {self._last} was stored at {stored[-1]}")


async def _sequence_of(publish: Coroutine[None, None, PubAck]) -> int:
    return int((await publish).seq)


def _headers_of(message: Message) -> dict[str, str]:
    """Give a commit's own headers, and when it was stored first."""
    own = {
        name: value
        for name, value in (message.headers or {}).items()
        if not name.startswith(_SERVERS_OWN)
    }
    microseconds = (message.stored - EPOCH) // timedelta(microseconds=1)
    return {**own, STORED_HEADER: str(microseconds)}
