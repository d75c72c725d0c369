"""The log and what lives by it: its streams, hosts, projections, quarantine and clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nats.js.errors import NotFoundError

from effects.recovery.process import ChildProcesses
from events.build import build_id
from events.log import stored_at
from events.subjects import CHECKPOINT_STREAM, TELEMETRY_STREAM
from projections.base import moment_text
from projections.catalogue import PROJECTIONS
from projections.database import sqlite_path
from projections.reading import (
    EventFilter,
    NotReadyError,
    Reading,
    events,
    parked_entities,
    projection_states,
)
from standfast.doctor.finding import error, ok, warning
from standfast.emergency.diagnosis import refusal_in
from standfast.hosts_asked import ask_hosts, host_names
from standfast.running import pid_of, processes_of
from standfast.supervisor.processes import LOG
from standfast.upgrade_account import read_account

if TYPE_CHECKING:
    from nats.js.api import StreamInfo
    from sqlalchemy import Connection

    from actors.runtime.description import Described
    from standfast.doctor.finding import Finding, Patient

LAG_WARNING = 1_000
FULL_WARNING_SHARE = 0.8
REFUSED_SECONDS = 10.0
CLOCK_HOURS = 24
SKEW_SECONDS = 2.0
MIB = 1024 * 1024
CLOCK_STEPPED = "standfast.host.clock_stepped.v1"


async def streams(patient: Patient) -> list[Finding]:
    """Look whether the log answers and has its streams."""
    if patient.log is None:
        if patient.supervisor_pid is None:
            return []
        return [_unreachable(patient)]
    manager = patient.log.client.jsm()
    shown = []
    for name in (patient.log.stream, TELEMETRY_STREAM, CHECKPOINT_STREAM):
        try:
            info = await manager.stream_info(name)
        except NotFoundError:
            return [error("log", f"its stream {name} is missing", "standfast up")]
        if name == patient.log.stream and (trouble := _limited(info)):
            return [trouble]
        shown.append(f"{name.removeprefix('STANDFAST_').lower()} {info.state.bytes / MIB:.1f} MiB")
    return [ok("log", ", ".join(shown)), *await _clock_against_log(patient)]


def _limited(info: StreamInfo) -> Finding | None:
    """Say that the stream of commits takes none, or soon will not: somebody gave it a limit."""
    name, limit = info.config.name, info.config.max_bytes or 0
    if (refusal := refusal_in(info)) is not None:
        text = f"it takes no commits: {refusal.reason}"
        return error("log", text, f"nats stream edit {name} --max-bytes=-1 --max-msgs=-1")
    if 0 < limit * FULL_WARNING_SHARE < info.state.bytes:
        text = f"{info.state.bytes / MIB:.1f} of the {limit / MIB:.1f} MiB that {name} may have"
        return warning("log", f"{text} are used", f"nats stream edit {name} --max-bytes=-1")
    return None


def _unreachable(patient: Patient) -> Finding:
    """Say what is known of a log that can't be joined: its process may be there all the same."""
    if patient.is_log_closed:
        text = "it is closed: a restore is under way, or one was killed"
        return error("log", f"{text}; then end `standfast up` and start it again", "standfast up")
    pid = pid_of(ChildProcesses(patient.directory.processes), LOG)
    text = f"it can't be reached: {patient.trouble}"
    if pid is None:
        return error("log", text, "standfast up")
    look = f"tail -n 50 {patient.directory.processes / 'log.log'}"
    return error("log", f"{text}; its server is there, as pid {pid}", look)


async def policies(patient: Patient) -> list[Finding]:
    """Look whether the orders of every policy are carried out."""
    if patient.log is None or patient.supervisor_pid is None:
        return []
    asked = await ask_hosts(patient.log.client, await host_names(patient.log), entities=False)
    if not all(host.answered for host in asked.hosts):
        return []  # whose orders wait, nobody can say: see `hosts`
    waiting = {policy: targets for host in asked.hosts for policy, targets in host.waiting.items()}
    if not waiting:
        return [ok("policies", "their orders are carried out")]
    parked = {address for host in asked.hosts for address in host.parked}
    return [_waiting(patient, name, targets, parked) for name, targets in sorted(waiting.items())]


def _waiting(patient: Patient, policy: str, targets: dict[str, int], parked: set[str]) -> Finding:
    """Say which orders wait for whom; who is parked answers when it is released."""
    shown = ", ".join(f"{count} to {target}" for target, count in sorted(targets.items()))
    text = f"orders of {policy} wait for an answer: {shown}"[:300]
    held_up = sorted(parked & set(targets))
    if held_up:
        return warning("policies", f"{text}; {held_up[0]} is parked", _release(held_up[0]))
    path = patient.directory.processes / "ray.log"
    return warning("policies", text, f"tail -n 50 {path}")


async def _clock_against_log(patient: Patient) -> list[Finding]:
    """A commit of the future means that the clock was set back."""
    assert patient.log is not None
    head = await patient.log.head_sequence()
    message = await patient.log.message(head) if head else None
    if head and message is None:
        text = f"its last commit, {head}, can't be read"
        return [error("log", text, "standfast verify")]
    if message is None:
        return []
    ahead = (stored_at(message) - datetime.now(UTC)).total_seconds()
    if ahead > SKEW_SECONDS:
        text = f"the newest commit is {ahead:.0f} s in the future: the clock was set back"
        return [warning("clock", text, "timedatectl")]
    return []


async def hosts(patient: Patient) -> list[Finding]:
    """Ask every host whether it serves, and as which build."""
    if patient.log is None or patient.supervisor_pid is None:
        return []
    names = await host_names(patient.log)
    asked = await ask_hosts(patient.log.client, names, entities=False)
    silent = [host.name for host in asked.hosts if not host.answered]
    if silent:
        text = f"no answer from {', '.join(silent)}; Ray starts what ended again within seconds"
        path = patient.directory.processes / "ray.log"
        return [error("hosts", text, f"tail -n 50 {path}")]
    reading = [host.name for host in asked.hosts if not host.ready]
    if reading:
        return [warning("hosts", f"still reading their buckets: {', '.join(reading)}")]
    refused = {one.name: one.refused_seconds for one in asked.hosts}
    if max(refused.values(), default=0.0) > REFUSED_SECONDS:
        shown = ", ".join(f"{name} {one:.0f} s ago" for name, one in refused.items() if one)
        text = f"the log refused a commit, and has stored none since: {shown}"
        path = patient.directory.processes / "log.log"
        return [warning("hosts", text, f"tail -n 50 {path}"), *_builds(patient, asked.hosts)]
    return [ok("hosts", f"all {len(names)} serve"), *_builds(patient, asked.hosts)]


def _builds(patient: Patient, answered: list[Described]) -> list[Finding]:
    """Look whether all is of one build; if not, at what the newest upgrade says of it."""
    ours = [one for one in processes_of(patient.directory) if one.says_build and one.build]
    builds = {host.build for host in answered} | {one.build for one in ours}
    if len(builds) > 1:
        account = read_account(patient.directory)
        text = f"hosts and processes are of several builds: {', '.join(sorted(builds))}"
        if account is not None and account.reason:
            text += f"; the newest upgrade {account.state}: {account.reason}"
        return [error("builds", text, "standfast upgrade")]
    if builds != {build_id()}:
        text = f"what runs is {', '.join(builds)}, this command is {build_id()}"
        return [warning("builds", text, "standfast upgrade")]
    return [ok("builds", "everything is of one build")]


async def projections(patient: Patient) -> list[Finding]:
    """Look how far projections are, what they left out, and what is in quarantine."""
    if patient.situation is None:
        return []
    url = patient.situation.projections_url
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return [warning("projections", f"{path} is missing; the projector makes it")]
    head = await patient.log.head_sequence() if patient.log else None
    reading = Reading(url)
    try:
        with reading.moment() as connection:
            found = [*_projections(connection, head), *_parked(connection), *_clock(connection)]
    except NotReadyError as failure:
        return [warning("projections", str(failure), "standfast projections rebuild all")]
    finally:
        reading.close()
    return found


def _projections(connection: Connection, head: int | None) -> list[Finding]:
    states = projection_states(connection)
    known = {projection.name: projection.version for projection in PROJECTIONS}
    unfit = [one.name for one in states if known.get(one.name, one.version) != one.version]
    errors = sum(one.errors for one in states)
    reached = min((one.sequence for one in states), default=0)
    if head is not None and reached > head:
        text = f"they reached {reached}, but the log ends at {head}: its end was lost"
        return [error("projections", text, "standfast verify")]
    if unfit:
        text = f"of another version: {', '.join(unfit)}"
        return [error("projections", text, f"standfast projections rebuild {unfit[0]}")]
    if errors:
        return [
            warning("projections", f"{errors} events were left out", "standfast projections list")
        ]
    if head is not None and head - reached > LAG_WARNING:
        text = f"{head - reached} commits behind the log"
        return [warning("projections", text, "standfast projections list")]
    return [ok("projections", f"{len(states)} at sequence {reached}")]


def _parked(connection: Connection) -> list[Finding]:
    found = parked_entities(connection)
    if not found:
        return [ok("quarantine", "no entity is parked")]
    return [
        error(
            "quarantine",
            f"{row['entity']} is parked: {row['error']}"[:300],
            _release(row["entity"]),
        )
        for row in found[:10]
    ]


def _release(entity: str) -> str:
    return f"standfast release '{entity}' --reason 'WHY'"


def _clock(connection: Connection) -> list[Finding]:
    """Look whether a host saw its wall clock jump lately."""
    since = moment_text(datetime.now(UTC) - timedelta(hours=CLOCK_HOURS))
    steps = events(connection, EventFilter(type=CLOCK_STEPPED, since=since, limit=1000))
    if not steps:
        return []
    text = f"the wall clock jumped {len(steps)} times within {CLOCK_HOURS} h"
    return [warning("clock", text, "standfast events --kind host --since 1d")]
