"""A run's directory, read and checked: one pass over each file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from events.address import InvalidAddressError
from events.archive import Archive, UnusableArchiveError
from events.commit import StoredCommit, UnreadableCommitError, decode_commit
from events.subjects import entity_of
from scenarios.checker.checker import Checker
from scenarios.checker.due import DETECTED_WITHIN, LATE
from scenarios.checker.records import (
    Injected,
    Invoked,
    UnusableRunError,
    command_line,
    ledger_line,
    outage_line,
    read_as,
    read_lines,
    state_line,
)
from scenarios.checker.report import Report, findings_of

if TYPE_CHECKING:
    from pathlib import Path

    from events.identity import LogIdentity
    from events.reader import Message

FORMAT = 1
RUN, ARCHIVE = "run.json", "log.archive"


@dataclass(frozen=True, slots=True)
class Run:
    """What the run says of itself. `must_exercise` are the invariants that it was made for."""

    seed: int | None
    began: datetime
    ended: datetime
    settings: dict[str, Any]
    must_exercise: tuple[str, ...] | None = None

    @property
    def late(self) -> timedelta:
        """How much later than due something may be done at the run's end."""
        return timedelta(seconds=self.settings.get("late_seconds", LATE.total_seconds()))

    @property
    def detected_within(self) -> timedelta:
        """How long an outage may last before it must be known: longer where probers are hurt."""
        default = DETECTED_WITHIN.total_seconds()
        return timedelta(seconds=self.settings.get("detected_seconds", default))


def check_run(directory: Path) -> Report:
    """Check all that a run left in its directory. Raises `UnusableRunError`."""
    run = read_run(directory)
    checker = Checker(late=run.late, detected_within=run.detected_within)
    commits = _read_log(directory / ARCHIVE, checker)
    for path in sorted(directory.glob("commands-*.jsonl")):
        for line in read_as(path, command_line):
            checker.invoked(line) if isinstance(line, Invoked) else checker.returned(line)
    for path in sorted(directory.glob("ledger-*.jsonl")):
        receiver = path.stem.removeprefix("ledger-")
        for delivery in read_as(path, ledger_line(receiver)):
            checker.delivered(delivery)
    for name, make, take in (
        ("states.jsonl", state_line, checker.known),
        ("outages.jsonl", outage_line, checker.out),
    ):
        if (directory / name).exists():
            for record in read_as(directory / name, make):
                take(record)
    checker.end(run.ended)
    must = run.must_exercise
    return Report(
        seed=run.seed,
        commits=commits,
        faults=tuple(read_faults(directory)),
        findings=findings_of(checker.invariants, must),
    )


def read_run(directory: Path) -> Run:
    """Read what the run says of itself. Raises `UnusableRunError`."""
    for name in (RUN, ARCHIVE):
        if not (directory / name).is_file():
            raise UnusableRunError(f"{directory} holds no run: {name} is missing")
    try:
        content = json.loads((directory / RUN).read_bytes())
        if content["format"] != FORMAT:
            message = f"{RUN}: format {content['format']!r}; known here: {FORMAT}"
            raise UnusableRunError(message)
        must = content.get("must_exercise")
        return Run(
            content["seed"],
            datetime.fromisoformat(content["began"]),
            datetime.fromisoformat(content["ended"]),
            content["settings"],
            None if must is None else tuple(must),
        )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise UnusableRunError(f"{RUN}: {type(error).__name__}: {error}") from error


def read_faults(directory: Path) -> list[Injected]:
    """Read the injector's journal: a fault has a line when it begins, and one when it is healed."""
    found: dict[int, Injected] = {}
    path = directory / "faults.jsonl"
    for _, line in read_lines(path) if path.exists() else ():
        began, ended = datetime.fromisoformat(line["time"]), line.get("ended")
        lasted = None if ended is None else timedelta(seconds=ended - line["began"])
        found[line["number"]] = Injected(
            line["number"],
            line["fault"],
            line["target"],
            began,
            None if lasted is None else began + lasted,
            line["in_flight"],
        )
    return list(found.values())


def _read_log(path: Path, checker: Checker) -> int:
    """Give the checker all commits; gives how many there are."""
    count = 0
    try:
        archive = Archive(path)
        for message in archive.messages():
            checker.commit(stored_in(archive.heading.identity, message))
            count += 1
    except (UnusableArchiveError, UnreadableCommitError, InvalidAddressError) as error:
        raise UnusableRunError(f"{path.name}: {error}") from error
    return count


def stored_in(identity: LogIdentity, message: Message) -> StoredCommit:
    """Decode a message of a log of an identity. Raises `UnreadableCommitError`."""
    commit = decode_commit(message.payload, entity_of(message.subject))
    return StoredCommit(commit, message.sequence, message.payload, identity)
