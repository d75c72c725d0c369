"""A log is made anew from a file: beside the open one, read through, then put in its place.

Up to the last step nothing is changed, and the last step is two settings: the old stream is closed
and the new one opened. What the old one held beyond the file is written to an archive before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from events.commit import digest_of
from events.identity import metadata_of
from events.log import Log, stored_at
from events.state_stream import (
    StateStream,
    beside_subjects,
    close_state_stream,
    delete_state_stream,
    find_state_stream,
    open_state_stream,
    reopen_state_stream,
    state_stream_name,
    state_streams,
    stream_named,
)
from events.streams import StreamLimits, ensure_streams, state_settings
from events.succession import announce_generation
from standfast.keeping.making import make_archive, read_through

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from nats.aio.client import Client

    from events.identity import LogIdentity
    from standfast.keeping.making import Progress
    from standfast.keeping.sources import Source


class NotRestoredError(Exception):
    """The log is as it was; the message says why."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What the log holds beyond a file: how many commits, after which one, since when."""

    commits: int
    after: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Restored:
    """A log that was made anew: what it is now, what it gave up, and where that is kept."""

    identity: LogIdentity
    head: int
    commits: int
    loss: Loss
    kept: Path | None


@dataclass(slots=True)
class Restore:
    """Puts the log that a source holds in the place of the one that is open, if there is one.

    `newest` is the highest generation that is remembered anywhere; `given_up` is the folder for
    what the log gives up.
    """

    client: Client
    source: Source
    limits: StreamLimits
    newest: int
    given_up: Path
    progress: Progress
    accepts_damage: bool = False

    async def loss(self) -> Loss:
        """Say what would be given up. Raises `NotRestoredError` for another log's file."""
        stream = await self._present()
        if stream is None or stream.last_sequence == 0:
            return Loss(0, 0, None)
        if stream.identity.log_id != self.source.identity.log_id:
            raise NotRestoredError(
                f"it is of another log: {self.source.identity.log_id}, and this one is"
                f" {stream.identity.log_id}"
            )
        return await _loss(_log_of(self.client, stream), self.source, stream.last_sequence)

    async def run(self) -> Restored:
        """Do it. Raises `NotRestoredError`, `SnapshotFailedError`, `NotImportedError`."""
        present = await self._present()
        await self._clear_left_over(present)
        identity = self._identity(present)
        name = state_stream_name(identity.generation)
        try:
            beside = await self._fill(name, identity, present)
            commits = await self._read(beside)
        except BaseException:
            await delete_state_stream(self.client, name)
            raise
        loss, kept = await self._replace(present, beside)
        await announce_generation(self.client)
        await ensure_streams(self.client, self.limits)
        if present is not None:
            await delete_state_stream(self.client, present.name)
        return Restored(identity, beside.last_sequence, commits, loss, kept)

    async def _present(self) -> StateStream | None:
        return await find_state_stream(self.client) or await reopen_state_stream(self.client)

    async def _clear_left_over(self, present: StateStream | None) -> None:
        """Delete what an earlier restore that was cut off left behind."""
        for stream in await state_streams(self.client):
            if present is None or stream.name != present.name:
                await delete_state_stream(self.client, stream.name)

    def _identity(self, present: StateStream | None) -> LogIdentity:
        source = self.source.identity
        if present is None or present.last_sequence == 0:
            return source.successor(source, self.source.head, self.newest)
        return present.identity.successor(source, self.source.head, self.newest)

    async def _fill(
        self, name: str, identity: LogIdentity, present: StateStream | None
    ) -> StateStream:
        base = state_settings(self.limits) if present is None else present.config
        metadata = {**(base.get("metadata") or {}), **metadata_of(identity)}
        settings = {
            **base,
            "name": name,
            "subjects": [beside_subjects(identity.generation)],
            "metadata": {key: one for key, one in metadata.items() if key[0] != "_"},
            "deny_delete": False,
            "deny_purge": False,
        }
        await self.source.fill(self.client, settings, self.progress)
        return await stream_named(self.client, name)

    async def _read(self, beside: StateStream) -> int:
        log = _log_of(self.client, beside)
        found, _ = await read_through(log, "reading what was restored", self.progress)
        if found.count and not self.accepts_damage:
            bad = found.bad[0]
            what = f"{found.count} of its sequences are bad"
            raise NotRestoredError(f"{what}, the first is {bad.sequence}: {bad.why}")
        return found.commits

    async def _replace(
        self, present: StateStream | None, beside: StateStream
    ) -> tuple[Loss, Path | None]:
        """Close the one, keep what it has more, and open the other."""
        if present is None:
            await open_state_stream(self.client, beside)
            return Loss(0, 0, None), None
        closed = await close_state_stream(self.client, present)
        try:
            log = _log_of(self.client, present)
            loss = await _loss(log, self.source, closed.last_sequence)
            kept = await self._keep(log, loss, closed.last_sequence) if loss.commits else None
            await open_state_stream(self.client, beside)
        except BaseException:
            await open_state_stream(self.client, present)
            raise
        return loss, kept

    async def _keep(self, log: Log, loss: Loss, head: int) -> Path:
        identity = log.identity
        name = f"{identity.log_id}.{identity.generation}.{loss.after + 1}-{head}.archive"
        self.given_up.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = await make_archive(log, self.given_up / name, self.progress, loss.after, head)
        return made.path


async def _loss(log: Log, source: Source, head: int) -> Loss:
    """Give what a log holds, up to `head`, beyond what it shares with a source."""
    after = min(log.identity.shared_with(source.identity, source.head), head)
    if after == source.head and not await _is_at(log, source):
        after = 0  # one generation, two histories: somebody copied files
    if after >= head:
        return Loss(0, after, None)
    first = await log.message(after + 1)
    return Loss(head - after, after, None if first is None else stored_at(first))


async def _is_at(log: Log, source: Source) -> bool:
    message = await log.message(source.head) if source.head else None
    return message is None or digest_of(message.data or b"") == source.head_digest


def _log_of(client: Client, stream: StateStream) -> Log:
    return Log(client, stream.identity, stream=stream.name)
