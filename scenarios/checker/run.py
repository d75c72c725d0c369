"""A run's directory, read and checked: one pass over each file."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from events.address import InvalidAddressError
from events.archive import Archive, UnusableArchiveError
from events.commit import StoredCommit, UnreadableCommitError, decode_commit
from events.subjects import entity_of
from scenarios.checker.broken_times import IN_CALM
from scenarios.checker.checker import Checker
from scenarios.checker.due import DETECTED_WITHIN, LATE
from scenarios.checker.records import (
    Invoked,
    UnusableRunError,
    read_commands,
    read_faults,
    read_ledger,
    read_outages,
    read_states,
)
from scenarios.checker.report import Report, UnknownClaimError, claims_of, findings_of
from scenarios.checker.run_file import read_run_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from events.identity import LogIdentity
    from events.reader import Message
    from scenarios.checker.records import Injected
    from scenarios.checker.report import Finding
    from scenarios.checker.run_file import RunFile

RUN, ARCHIVE, FAULTS = "run.json", "log.archive", "faults.jsonl"
OUTAGES, STATES = "outages.jsonl", "states.jsonl"
PACE_SHARE_MIN = 0.9
"""Where fewer commands were sent than this share of what was asked for, the run proves less."""

RECORDS = {
    "acknowledged: ": "commands-*.jsonl",
    "history: live": STATES,
    "history: rebuilt": STATES,
    "history: from checkpoints": STATES,
    "world: delivered": "ledger-*.jsonl",
    "world: acted": "ledger-*.jsonl",
    "world: in time": "ledger-*.jsonl",
    "world: denied": "ledger-*.jsonl",
    "world: alternating": "ledger-*.jsonl",
    "world: told": "ledger-*.jsonl",
    "due: timers in time": FAULTS,
    "due: outages": OUTAGES,
}
"""How names of claims begin, and the files without which nothing can be said of them."""


def check_run(directory: Path) -> Report:
    """Check all that a run left in its directory. Raises `UnusableRunError`."""
    try:
        return _check(directory)
    except OSError as error:
        what = f"{error.filename} can't be read: {error.strerror}"
        raise UnusableRunError(f"{what}; it must be a file that you may read") from error


def _check(directory: Path) -> Report:
    run = read_run(directory)
    _require_records(directory, run)
    faults = read_faults(directory / FAULTS)
    checker = Checker(
        late=_bound(run.settings.late_seconds, LATE),
        detected_within=_bound(run.settings.detected_seconds, DETECTED_WITHIN),
    )
    checker.journal(faults, run.began)
    commits = _read_log(directory / ARCHIVE, checker)
    _read_records(directory, run.ended, checker)
    checker.asked(run.hosts)
    checker.end(run.ended)
    return Report(
        seed=run.seed,
        commits=commits,
        faults=tuple(faults),
        findings=_findings(checker, run),
        problems=tuple(_problems(run, faults)),
        build=run.build,
        pace=run.pace,
        left_out=run.left_out,
    )


def _require_records(directory: Path, run: RunFile) -> None:
    """Refuse a run that lacks a file of what it must exercise. Raises `UnusableRunError`."""
    must = (
        tuple(claims_of(Checker().invariants)) if run.must_exercise is None else run.must_exercise
    )
    for claim in must:
        for beginning, files in RECORDS.items():
            if claim.startswith(beginning) and not any(directory.glob(files)):
                raise UnusableRunError(f"{directory} has no {files}, and must exercise {claim!r}")


def _findings(checker: Checker, run: RunFile) -> tuple[Finding, ...]:
    try:
        return findings_of(checker.invariants, run.must_exercise)
    except UnknownClaimError as error:
        raise UnusableRunError(f"{RUN}: must_exercise: {error}") from error


def _problems(run: RunFile, faults: Sequence[Injected]) -> Iterator[str]:
    """Say why a run proves less than it seems to."""
    if run.unrest:
        yield f"it did not come to rest: {run.unrest}"
    for one in faults:
        if one.ended is None:
            yield f"fault {one.number} ({one.fault} {one.target}) was never healed"
    done = [one for one in faults if one.effect]
    by_chance = sum(one.fault != IN_CALM for one in done)
    if by_chance < run.faults:
        yield f"{by_chance} faults had an effect, {run.faults} were asked for"
    if run.pace is None:
        return
    if run.pace.per_second < PACE_SHARE_MIN * run.pace.asked_per_second:
        asked = f"{run.pace.asked_per_second:g} were asked for"
        yield f"{run.pace.per_second:.1f} commands a second were sent, {asked}"
    if not any(one.in_flight for one in done):
        yield "no command was in flight at any fault: nothing is proven"


def _bound(seconds: float | None, default: timedelta) -> timedelta:
    return default if seconds is None else timedelta(seconds=seconds)


def read_run(directory: Path) -> RunFile:
    """Read what the run says of itself. Raises `UnusableRunError`."""
    for name in (RUN, ARCHIVE):
        if not (directory / name).is_file():
            raise UnusableRunError(f"{directory} holds no run: {name} is missing")
    return read_run_file(directory / RUN)


def _read_records(directory: Path, ended: datetime, checker: Checker) -> None:
    """Give the checker what workers, receivers and the world wrote, and what hosts knew."""
    for path in sorted(directory.glob("commands-*.jsonl")):
        for line in read_commands(path, path.stem.removeprefix("commands-")):
            checker.invoked(line) if isinstance(line, Invoked) else checker.returned(line)
    for path in sorted(directory.glob("ledger-*.jsonl")):
        receiver = path.stem.removeprefix("ledger-")
        checker.ledger(receiver)
        for delivery in read_ledger(path, receiver):
            if delivery.time <= ended:  # what was told while all was taken down is no part of it
                checker.delivered(delivery)
    for state in read_states(directory / STATES):
        checker.known(state)
    for outage in read_outages(directory / OUTAGES):
        checker.out(outage)


def _read_log(path: Path, checker: Checker) -> int:
    """Give the checker all commits; gives how many there are."""
    count = 0
    try:
        archive = Archive(path)
        if after := archive.heading.after:
            raise UnusableRunError(f"{path.name}: it holds only what came after {after}")
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
