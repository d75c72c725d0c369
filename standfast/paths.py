"""Where everything is kept below the state directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    def log(self) -> Path:
        """The embedded nats-server's configuration and data."""
        return self.root / "log"

    @property
    def ray(self) -> Path:
        """Ray's token and temporary files."""
        return self.root / "ray"

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
    def projections(self) -> Path:
        """The SQLite database of the projections."""
        return self.root / "projections.db"

    @property
    def demo(self) -> Path:
        """The demo platform."""
        return self.root / "demo"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
