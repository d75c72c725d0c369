"""A backup or an archive is read through without a server."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from events.archive import Archive
from events.log import stored_commit
from events.log_backup import Backup, UnusableBackupError
from standfast.kept_copy import KeptCopy
from standfast.verification import Commits

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from events.commit import StoredCommit
    from events.identity import LogIdentity
    from events.reader import Message
    from standfast.verification import Bad


@dataclass(frozen=True, slots=True)
class Checked:
    """What is in a file, and which commits in it are bad. A backup's were read when it was made."""

    what: str
    identity: LogIdentity
    made: datetime
    build: str
    head: int
    commits: int
    bad: tuple[Bad, ...] = ()
    bad_count: int = 0

    @property
    def text(self) -> str:
        """Say it for people."""
        whose = f"generation {self.identity.generation} of log {self.identity.log_id}"
        state = f"{self.bad_count} bad commits" if self.bad_count else "whole"
        return (
            f"{self.what} of {self.made:%Y-%m-%d %H:%M:%S} UTC, {state}: {self.commits} commits"
            f" up to sequence {self.head}, {whose}, by {self.build}"
        )

    def as_json(self) -> dict[str, Any]:
        """Give it for programs."""
        return {
            "ok": not self.bad_count,
            "what": self.what,
            "log_id": self.identity.log_id,
            "generation": self.identity.generation,
            "made": self.made.isoformat(),
            "build": self.build,
            "head": self.head,
            "commits": self.commits,
            "bad_count": self.bad_count,
            "bad": [asdict(bad) for bad in self.bad],
        }


def check_file(path: Path) -> Checked:
    """Read a file through. Raises `UnusableBackupError`, `UnusableArchiveError` or `OSError`."""
    try:
        backup = Backup(path)
    except UnusableBackupError:
        return _check_archive(path)
    ending, heading = backup.check(), backup.heading
    whose = (heading.identity, heading.made, heading.build)
    return Checked("a backup", *whose, ending.head, ending.commits)


def _check_archive(path: Path) -> Checked:
    archive = Archive(path)
    heading = archive.heading
    decode: partial[StoredCommit] = partial(_decode, heading.identity)
    commits = Commits(decode, KeptCopy(None, heading.identity), heading.after)
    last = heading.after
    for message in archive.messages():
        commits.take(message)
        last = message.sequence
    found = commits.finish(last)
    whose = (heading.identity, heading.made, heading.build)
    return Checked("an archive", *whose, last, found.commits, tuple(found.bad), found.count)


def _decode(identity: LogIdentity, message: Message) -> StoredCommit:
    return stored_commit(message, identity)
