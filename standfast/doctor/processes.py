"""Standfast's processes: the supervisor, what it starts, their heartbeats and ports."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import psutil
from nats.js.errors import NotFoundError

from effects.recovery.process import ChildProcesses
from events.address import encode_token
from events.subjects import TELEMETRY_STREAM, telemetry_subject
from events.telemetry_log import HEARTBEAT
from standfast.doctor.finding import error, ok, warning
from standfast.doctor.words import translated
from standfast.running import BEGINS_ANEW, SUPERVISOR, pid_of, processes_of
from standfast.supervisor.processes import LOG, ROLES

if TYPE_CHECKING:
    from pathlib import Path

    from standfast.doctor.finding import Finding, Patient

SILENT_SECONDS = 5.0
ANSWER_SECONDS = 2.0
TAIL_BYTES = 4_000
_FRAME = re.compile(r"^[\s|]*(\+[-+\s\d.]*$)?")
"""What a traceback of several errors draws around its words."""
YOUNG_SECONDS, OLD_SECONDS = 45.0, 180.0
"""A process so young below a supervisor so old was started again: it may be in a loop."""


async def supervisor(patient: Patient) -> list[Finding]:
    """Look whether the supervisor lives, and whether what it started outlived it."""
    if patient.supervisor_pid is not None:
        return [ok(SUPERVISOR, f"runs as pid {patient.supervisor_pid}")]
    left = [one.name for one in processes_of(patient.directory) if one.state == "running"]
    if left:
        text = f"it is gone, but these still run: {', '.join(left)}; a new one takes them over"
        return [error(SUPERVISOR, text, "standfast up")]
    return [error(SUPERVISOR, "Standfast does not run", "standfast up")]


async def processes(patient: Patient) -> list[Finding]:
    """Look at each process that the supervisor starts; of one that ended, at its last words."""
    if patient.supervisor_pid is None:
        return []
    found = []
    external = patient.situation is not None and bool(patient.situation.configuration.log.url)
    for one in processes_of(patient.directory):
        if one.name == SUPERVISOR or (external and one.name == LOG):
            continue
        path = patient.directory.processes / f"{one.name}.log"
        if one.pid is not None:
            found.append(look_at(one.name, one.pid, path, patient.supervisor_pid))
        else:
            text = f"it does not run; its last words: {translated(_last_words(path))}"
            found.append(error(f"process {one.name}", text, f"tail -n 50 {path}"))
    return found


def look_at(name: str, pid: int, path: Path, supervisor: int) -> Finding:
    """Say how a process is that runs: it may be stopped, or have been started again and again."""
    named = f"process {name}"
    try:
        process = psutil.Process(pid)
        is_stopped = process.status() == psutil.STATUS_STOPPED
        age_seconds = time.time() - process.create_time()
        up_seconds = time.time() - psutil.Process(supervisor).create_time()
    except psutil.Error:
        return ok(named, f"runs as pid {pid}")
    if is_stopped:
        text = f"it is stopped (pid {pid}): somebody sent it a signal"
        return error(named, text, f"kill -CONT {pid}")
    is_young = age_seconds < YOUNG_SECONDS < OLD_SECONDS < up_seconds
    if is_young and _began_anew(path):
        return ok(named, f"runs as pid {pid}; it began anew with the restored log")
    if is_young:
        said = translated(_last_words(path))
        text = f"it was started again {age_seconds:.0f} s ago; its last words: {said}"
        return warning(named, text, f"tail -n 50 {path}")
    return ok(named, f"runs as pid {pid}")


def _last_words(path: Path) -> str:
    """Give the last line of a log that says anything."""
    lines = (_FRAME.sub("", line).strip() for line in reversed(_tail(path).splitlines()))
    return next((line for line in lines if line), "none")


def _began_anew(path: Path) -> bool:
    """Say whether the newest end that a log speaks of was wanted: the log was restored."""
    tail = _tail(path)
    return tail.rfind(BEGINS_ANEW) > tail.rfind("Traceback (most recent call last)")


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


async def heartbeats(patient: Patient) -> list[Finding]:
    """Look when each process was last heard of through the log."""
    if patient.log is None or patient.supervisor_pid is None:
        return []
    ages = {role: await _age_of(patient, role) for role in ROLES}
    silent = [role for role, age in ages.items() if age is None or age > SILENT_SECONDS]
    if not silent:
        return [ok("heartbeats", f"all {len(ROLES)} processes beat")]
    path = patient.directory.processes / f"{silent[0]}.log"
    return [error("heartbeats", f"not heard of lately: {', '.join(silent)}", f"tail -n 50 {path}")]


async def _age_of(patient: Patient, producer: str) -> float | None:
    assert patient.log is not None
    subject = telemetry_subject(HEARTBEAT, encode_token(producer))
    manager = patient.log.client.jsm()
    try:
        message = await manager.get_msg(TELEMETRY_STREAM, subject=subject, direct=False)
    except NotFoundError:
        return None
    if message.time is None:
        return None
    return (datetime.now(UTC) - message.time.astimezone(UTC)).total_seconds()


async def web(patient: Patient) -> list[Finding]:
    """Look whether the page answers, and whether it is ours that has its port."""
    if patient.situation is None:
        return []
    url = patient.situation.runtime.web_url
    port = urlsplit(url).port or 0
    ours = pid_of(ChildProcesses(patient.directory.processes), "web")
    stranger = await asyncio.to_thread(stranger_on, port, ours)
    if stranger:
        return [
            error("web", f"its port {port} is taken by {stranger}", f"ss -ltnp 'sport = :{port}'")
        ]
    if patient.supervisor_pid is None:
        return []
    trouble = await _ask(f"{url}/livez")
    if trouble:
        path = patient.directory.processes / "web.log"
        return [error("web", f"{url} does not answer: {trouble}", f"tail -n 50 {path}")]
    return [ok("web", f"{url} answers")]


async def _ask(url: str) -> str:
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            return "" if response.ok else f"HTTP {response.status}"
    except (aiohttp.ClientError, TimeoutError, OSError) as failure:
        return translated(str(failure) or type(failure).__name__)


def stranger_on(port: int, ours: int | None) -> str:
    """Say which process that is not ours listens on a port, or nothing."""
    if not port:
        return ""
    for connection in psutil.net_connections("tcp"):
        address: Any = connection.laddr
        listens = connection.status == psutil.CONN_LISTEN and address and address.port == port
        if listens and not _belongs(connection.pid, ours):
            return _name_of(connection.pid)
    return ""


def _belongs(pid: int | None, ours: int | None) -> bool:
    """Say whether a process is ours or came from it."""
    if pid is None or ours is None:
        return False
    try:
        process = psutil.Process(pid)
        return ours in (pid, *(parent.pid for parent in process.parents()))
    except psutil.Error:
        return False


def _name_of(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        return f"pid {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        return f"pid {pid}"
