"""Files that are there whole or not at all, on disk before they bear their name."""

from __future__ import annotations

import glob
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file for its owner only; it gets its name when the block ends without an error."""
    draft = draft_of(path)
    _remove_abandoned(path)
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)


def draft_of(path: Path) -> Path:
    """Give the file that is written under another name until it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}")


def _remove_abandoned(path: Path) -> None:
    """Remove drafts of processes that were killed."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*"):
        pid = draft.name.rpartition(".")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            draft.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
