"""Ray: it listens on every address whatever it is told, so its ports must ask for the token."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from effects.recovery.process import ChildProcesses
from standfast.doctor.finding import error, ok
from standfast.running import pid_of
from standfast.supervisor.processes import RAY

if TYPE_CHECKING:
    from standfast.doctor.finding import Finding, Patient

MODE = "RAY_AUTH_MODE=token"
PARTS = ("gcs_server", "raylet")


async def head(patient: Patient) -> list[Finding]:
    """Look whether the head that runs has its store (GCS) and its node process."""
    pid = pid_of(ChildProcesses(patient.directory.processes), RAY)
    if pid is None:
        return []
    names = await asyncio.to_thread(_family_names, pid)
    missing = [name for name in PARTS if name not in names]
    if missing:
        text = f"its head runs without {' and '.join(missing)}; the supervisor starts Ray anew"
        return [error("ray", text, f"tail -n 50 {patient.directory.processes / 'ray.log'}")]
    return []


def _family_names(pid: int) -> set[str]:
    try:
        return {child.name() for child in psutil.Process(pid).children(recursive=True)}
    except psutil.Error:
        return set()


async def token(patient: Patient) -> list[Finding]:
    """Look whether Ray's head asks for a token, and whether only its owner can read it."""
    pid = pid_of(ChildProcesses(patient.directory.processes), RAY)
    if pid is None:
        return []
    path = patient.directory.ray / "token"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return [error("ray", f"its token {path} is missing: its ports are open", "standfast up")]
    if mode & 0o077:
        return [error("ray", f"others may read {path}", f"chmod 600 {path}")]
    if MODE.encode() not in _environment(pid):
        return [error("ray", "its head does not ask for the token", "standfast up")]
    ports = await asyncio.to_thread(_wildcard_ports, pid)
    text = f"its token guards {len(ports)} ports that listen on every address"
    return [ok("ray", text if ports else "its token guards its ports")]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def _wildcard_ports(pid: int) -> set[int]:
    """Give the ports on which Ray's processes listen for anybody."""
    found: set[int] = set()
    try:
        head = psutil.Process(pid)
        family = [head, *head.children(recursive=True)]
    except psutil.Error:
        return found
    for process in family:
        try:
            connections = process.net_connections("tcp")
        except psutil.Error:
            continue
        found |= {
            one.laddr.port
            for one in connections
            if one.status == psutil.CONN_LISTEN and one.laddr.ip in {"0.0.0.0", "::"}  # noqa: S104
        }
    return found
