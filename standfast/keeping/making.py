"""A backup of the log is made beside all that runs, and counts when it was restored once."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from events.archive import Archive, ArchiveWriter, Heading
from events.build import build_id
from events.log import Log
from events.log_backup import Backup, BackupEnding, BackupHeading, BackupWriter
from events.snapshots import open_snapshot, restore_snapshot
from events.state_stream import delete_state_stream
from standfast.keeping.files import draft_of, whole_file
from standfast.keeping.trial import (
    ABANDONED_SECONDS,
    NotBackedUpError,
    Trial,
    clear_trials,
    see_that_there_is_room,
)
from standfast.kept_copy import KeptCopy
from standfast.verification import Verifier, read_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from events.commit import Head
    from events.identity import LogIdentity
    from standfast.verification import Findings

    Progress = Callable[[str, float, float], None]
    """Told what is done, how much of it, and how much there is in all."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup or an archive that was made: of what, up to where, how much."""

    path: Path
    identity: LogIdentity
    head: int
    commits: int
    bytes: int


async def make_backup(
    log: Log, path: Path, progress: Progress, log_directory: Path | None = None
) -> Made:
    """Write a backup, restore it under another name, read that through, and only then name it.

    `log_directory` is given where the log is on this machine, and this is its only backup now.
    Raises `NotBackedUpError`, `SnapshotFailedError` and `OSError`.
    """
    await clear_trials(log.client, ABANDONED_SECONDS if log_directory is None else 0)
    size = (await log.client.jsm().stream_info(log.stream)).state.bytes
    see_that_there_is_room(size, path.parent, *([log_directory] if log_directory else []))
    with whole_file(path) as file:
        writer = BackupWriter(file)
        await _take(log, writer, progress)
        file.flush()
        ending, heads = await _try_out(log, Backup(draft_of(path)), progress)
        writer.end(ending, heads.items())
        file.flush()
        Backup(draft_of(path)).check()
        size = file.tell()
    return Made(path, log.identity, ending.head, ending.commits, size)


async def _take(log: Log, writer: BackupWriter, progress: Progress) -> None:
    async with open_snapshot(log.client, log.stream) as snapshot:
        now = datetime.now(UTC)
        total = int(snapshot.state["bytes"])
        writer.begin(BackupHeading(log.identity, build_id(), now, snapshot.config, snapshot.state))
        async for chunk in snapshot.chunks():
            writer.add(chunk)
            progress("packing the log", writer.size, max(total, writer.size))


async def _try_out(
    log: Log, backup: Backup, progress: Progress
) -> tuple[BackupEnding, dict[str, Head]]:
    """Restore a backup beside the log, and read it from end to end."""
    heading, trial = backup.heading, Trial()
    config = {
        **heading.config,
        "name": trial.stream,
        "subjects": [trial.subjects],
        "num_replicas": 1,
    }
    try:
        await restore_snapshot(log.client, config, heading.state, backup.chunks())
        tried = Log(log.client, heading.identity, log.pace, trial.stream)
        found, heads = await read_through(tried, "trying the backup out", progress)
    finally:
        await delete_state_stream(log.client, trial.stream)
    if found.count:
        raise NotBackedUpError(f"the log is damaged: {found.count} bad sequences")
    digests = {head.sequence: head.digest for head in heads.values()}
    ending = BackupEnding(found.head, digests.get(found.head, b""), found.commits, found.events)
    return ending, heads


async def read_through(log: Log, what: str, progress: Progress) -> tuple[Findings, dict[str, Head]]:
    """Read a log from end to end; gives what is wrong with it, and the ends of its chains."""
    verifier = Verifier(log, KeptCopy(None, log.identity))
    found = await verifier.run(lambda done, total: progress(what, done, total))
    return found, verifier.heads


async def make_archive(
    log: Log, path: Path, progress: Progress, after: int = 0, head: int | None = None
) -> Made:
    """Write the log's commits after a sequence to an archive, damaged ones included."""
    head = await log.head_sequence() if head is None else head
    with whole_file(path) as file:
        writer = ArchiveWriter(file)
        writer.begin(Heading(log.identity, build_id(), datetime.now(UTC), after))
        await _add_commits(log, writer, after, head, progress)
        writer.end()
        file.flush()
        for _ in Archive(draft_of(path)).messages():
            pass
        size = file.tell()
    return Made(path, log.identity, writer.last_sequence, writer.count, size)


async def _add_commits(
    log: Log, writer: ArchiveWriter, after: int, until: int, progress: Progress
) -> None:
    if after >= until:
        return
    async with aclosing(read_all(log, until, after + 1)) as batches:
        async for batch in batches:
            for message in batch:
                writer.add(message)
            progress("writing the archive", batch[-1].sequence - after, until - after)
