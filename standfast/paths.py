"""Where everything is kept below the state directory."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The state directory, readable by its owner (others may pass through to the demo)."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> StateDirectory:
        """Create the directory where it is missing."""
        directory = cls(root.expanduser().absolute())
        directory.root.mkdir(parents=True, exist_ok=True)
        directory.root.chmod(0o711)
        return directory

    @property
    def lock(self) -> Path:
        """Held by the supervisor while it lives."""
        return self.root / "supervisor.lock"

    @property
    def runtime(self) -> Path:
        """How to reach what runs: addresses and the log's token."""
        return self.root / "runtime.json"

    @property
    def configuration(self) -> Path:
        """The configuration in force, for Standfast's own processes."""
        return self.root / "configuration.json"

    @property
    def upgrade(self) -> Path:
        """The account of the newest upgrade."""
        return self.root / "upgrade.json"

    @property
    def log(self) -> Path:
        """The embedded nats-server's configuration and data."""
        return self.root / "log"

    @property
    def ray(self) -> Path:
        """Ray's token and temporary files."""
        return self.root / "ray"

    @property
    def ray_temporary(self) -> Path:
        """Ray's temporary files: a short path, for its sockets may have 107 bytes in all."""
        digest = blake2b(str(self.root).encode(), digest_size=5).hexdigest()
        return Path("/tmp") / f"standfast-{os.getuid()}-{digest}"  # noqa: S108  (0700, see below)

    @property
    def processes(self) -> Path:
        """Records and output of Standfast's own processes."""
        return self.root / "processes"

    @property
    def children(self) -> Path:
        """Records and output of the services' processes."""
        return self.root / "children"

    @property
    def executor(self) -> Path:
        """The executor's journal."""
        return self.root / "executor"

    @property
    def watchdog(self) -> Path:
        """What the watchdog has told, and how it is."""
        return self.root / "watchdog"

    @property
    def emergency(self) -> Path:
        """What is to be told, and to be known, that the log could not take."""
        return self.root / "emergency"

    @property
    def pulse(self) -> Path:
        """The newest heartbeat that passed prober, log and projections."""
        return self.root / "pulse"

    @property
    def projections(self) -> Path:
        """The SQLite database of the projections."""
        return self.root / "projections.db"

    @property
    def demo(self) -> Path:
        """The demo platform."""
        return self.root / "demo"


class UnsafeDirectoryError(Exception):
    """A directory that must be ours alone belongs to somebody else."""


def make_private(path: Path) -> None:
    """Make a directory for its owner only. Raises `UnsafeDirectoryError` where it is another's."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UnsafeDirectoryError(f"{path} belongs to somebody else; remove it")
    path.chmod(0o700)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
