"""A backup is tried out in a stream of its own beside the log: where there is room, and one alone.

The stream of a backup that was killed is left over until the next one, or the next `up`.
"""

from __future__ import annotations

import fcntl
import secrets
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from events.state_stream import ask_streams, delete_state_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nats.aio.client import Client

    from standfast.paths import StateDirectory

PREFIX = "STANDFAST_TRIAL"
LOCK = "backup.lock"
ABANDONED_SECONDS = 24 * 3600.0
"""Where others may back up the same log unseen, a stream that is older belongs to nobody."""
SPARE_BYTES = 64 * 1024 * 1024
MIB = 1024 * 1024


class NotBackedUpError(Exception):
    """There is no new backup; the message says why. An older file of the name is as it was."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Names that no other trial has."""

    key: str = field(default_factory=lambda: f"{int(time.time())}_{secrets.token_hex(4)}")

    @property
    def stream(self) -> str:
        """The stream's name."""
        return f"{PREFIX}_{self.key}"

    @property
    def subjects(self) -> str:
        """Subjects that nobody writes to."""
        return f"sftrial.{self.key}.>"


@contextmanager
def only_backup(directory: StateDirectory) -> Iterator[None]:
    """Keep other backups from this state directory. Raises `NotBackedUpError` during another."""
    with (directory.root / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotBackedUpError("another backup of this log is being made") from None
        yield


async def clear_trials(client: Client, older_seconds: float) -> None:
    """Delete trials that began before so many seconds."""
    answer = await ask_streams(client, "LIST", {})
    for info in answer["streams"]:
        name = str(info["config"]["name"])
        if name.startswith(PREFIX) and _began(name) <= time.time() - older_seconds:
            await delete_state_stream(client, name)


async def clear_left_over(client: Client, directory: StateDirectory, *, is_ours: bool) -> None:
    """Delete what killed backups left; `is_ours` where nobody else can be making one."""
    if not is_ours:
        await clear_trials(client, ABANDONED_SECONDS)
        return
    try:
        with only_backup(directory):
            await clear_trials(client, 0)
    except NotBackedUpError:
        return  # who makes one cleared the others


def see_that_there_is_room(size: int, *folders: Path) -> None:
    """See that a log of so many bytes fits into each of some folders, also if they share a disk.

    Raises `NotBackedUpError`.
    """
    wanted: dict[int, int] = {}
    for folder in folders:
        device = folder.stat().st_dev
        wanted[device] = wanted.get(device, SPARE_BYTES) + size
        free = shutil.disk_usage(folder).free
        if free < wanted[device]:
            needed = f"{wanted[device] / MIB:.0f} MiB are wanted for a backup that is tried out"
            raise NotBackedUpError(f"{needed}, and the disk of {folder} has {free / MIB:.0f} MiB")


def _began(stream: str) -> float:
    began = stream.removeprefix(PREFIX).strip("_").partition("_")[0]
    return float(began) if began.isdigit() else 0.0
