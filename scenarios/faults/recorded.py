"""Processes that may be hurt: each was recorded with its start time, and no other is signalled."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from pydantic import ValidationError

from effects.recovery.launcher import boot_id
from effects.recovery.running import Seen, look_at, read_record, recorded_process, send
from events.base import Value

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Recorded:
    """One process as it was when it was recorded: pid and start time name it for ever."""

    name: str
    seen: Seen

    @property
    def pid(self) -> int:
        """The pid it had; another process may have it by now, which is never signalled."""
        return self.seen.pid

    @property
    def is_alive(self) -> bool:
        """Say whether exactly this process still runs; a zombie does not."""
        now = look_at(self.pid)
        return (
            now is not None
            and now.start_time_ticks == self.seen.start_time_ticks
            and not now.is_zombie
        )

    def send(self, number: signal.Signals) -> bool:
        """Signal exactly this process; false where it is gone."""
        return send(self.seen, number)

    def kill(self) -> bool:
        """Kill -9 it."""
        return self.send(signal.SIGKILL)

    def descendants(self) -> dict[int, str]:
        """Give the pids and programs of all that it started; nothing where it is gone."""
        found: dict[int, str] = {}
        if self.is_alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in psutil.Process(self.pid).children(recursive=True):
                    found[process.pid] = process.name()
        return found


class _Remembered(Value):
    """A recorded process, for whoever comes after us."""

    seen: Seen
    boot_id: str


def remember(folder: Path, process: Recorded) -> None:
    """Write a record down, in the place of an earlier one of its name."""
    folder.mkdir(exist_ok=True)
    written = _Remembered(seen=process.seen, boot_id=boot_id())
    (folder / f"{process.name}.json").write_text(written.model_dump_json())


def remembered(folder: Path) -> list[Recorded]:
    """Give the processes that were written down, and still run."""
    found: list[Recorded] = []
    for path in folder.glob("*.json"):
        with contextlib.suppress(ValidationError):  # a kill tore it
            known = _Remembered.model_validate_json(path.read_bytes())
            one = Recorded(path.stem, known.seen)
            if known.boot_id == boot_id() and one.is_alive:
                found.append(one)
    return found


def record(name: str, pid: int) -> Recorded | None:
    """Record a process that we have just started, or that another record names."""
    seen = look_at(pid)
    return None if seen is None or seen.is_zombie else Recorded(name, seen)


def recorded_child(directory: Path, name: str) -> Recorded | None:
    """Find a process by the record that it wrote of itself in a directory of children."""
    written = read_record(directory / f"{name}.json")
    seen = None if written is None else recorded_process(written)
    return None if seen is None or seen.is_zombie else Recorded(name, seen)


def descendant(root: Recorded, name: str, pid: int) -> Recorded | None:
    """Record a process that says it is `pid`, if it truly descends from a recorded one."""
    found = record(name, pid)
    return found if found is not None and pid in root.descendants() else None


def descendant_named(root: Recorded, program: str) -> Recorded | None:
    """Find the descendant of a recorded process that runs a program."""
    for pid, running in root.descendants().items():
        if running == program:
            return record(program, pid)
    return None
