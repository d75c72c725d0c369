"""The machine: Python and its packages, the state directory, its disk, and the nats-server."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

from events.build import build_id
from events.server import ServerUnusableError, find_server
from standfast.doctor.finding import error, ok, warning

if TYPE_CHECKING:
    from pathlib import Path

    from standfast.doctor.finding import Finding, Patient

PYTHON_MIN = (3, 11)
DISK_WARNING, DISK_ERROR = 0.80, 0.95
GIB = 1024**3
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(?:>=\s*([0-9.]+))?")


async def python(patient: Patient) -> list[Finding]:
    """Look at the interpreter and the packages that are needed."""
    del patient
    shown = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < PYTHON_MIN:
        return [error("python", f"Python {shown} is too old; 3.11 is needed", "make setup")]
    missing = _missing_packages()
    if missing:
        return [error("packages", f"missing or too old: {', '.join(missing)}", "make setup")]
    return [ok("python", f"Python {shown}, Standfast {build_id()}, all packages are there")]


def _missing_packages() -> list[str]:
    try:
        needed = requires("standfast") or []
    except PackageNotFoundError:
        return ["standfast itself is not installed"]
    found = [_lack(line) for line in needed if "extra ==" not in line]
    return [lack for lack in found if lack]


def _lack(requirement: str) -> str:
    """Say what is missing of one requirement, or nothing."""
    match = _REQUIREMENT.match(requirement)
    assert match is not None, requirement
    name, least = match[1], match[2]
    try:
        installed = version(name)
    except PackageNotFoundError:
        return name
    if least and _numbers(installed) < _numbers(least):
        return f"{name} {installed} (at least {least})"
    return ""


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+", maxsplit=1)[0])[:4])


async def state_directory(patient: Patient) -> list[Finding]:
    """Look whether the state directory is there, is ours, and closed to others."""
    root = patient.directory.root
    if not root.is_dir():
        return [error("state directory", f"{root} is missing", "standfast up")]
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        owner = root.stat().st_uid
        text = f"{root} belongs to uid {owner}, and we are uid {os.getuid()}"
        return [error("state directory", text, f"sudo chown -R {os.getuid()} {root}")]
    if not any((root / name).exists() for name in ("runtime.json", "log/token")):
        text = f"{root} holds nothing of Standfast's: it never ran there, or runs elsewhere"
        return [error("state directory", text, "standfast doctor --state-dir DIR")]
    open_files = [
        name for name in ("runtime.json", "log/token", "ray/token") if _is_open(root / name)
    ]
    if open_files:
        names = " ".join(str(root / name) for name in open_files)
        text = f"others may read {', '.join(open_files)}"
        return [error("state directory", text, f"chmod 600 {names}")]
    return [ok("state directory", str(root))]


def _is_open(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return bool(stat.S_IMODE(mode) & 0o077)


async def disk(patient: Patient) -> list[Finding]:
    """Look how full the disk of the state directory is."""
    root = patient.directory.root
    place = next(one for one in (root, *root.parents) if one.exists())
    usage = shutil.disk_usage(place)
    share = usage.used / max(1, usage.used + usage.free)
    text = f"{share:.0%} used, {usage.free / GIB:.1f} GiB free"
    if share >= DISK_ERROR:
        return [error("disk", text, f"du -xh {place} | sort -h | tail")]
    if share >= DISK_WARNING:
        return [warning("disk", text, f"du -xh {place} | sort -h | tail")]
    return [ok("disk", text)]


async def nats_server(patient: Patient) -> list[Finding]:
    """Look whether there is a nats-server that will do, where the log is embedded."""
    if patient.situation is not None and patient.situation.configuration.log.url:
        return [ok("nats-server", "the log is a cluster of its own")]
    try:
        return [ok("nats-server", str(find_server()))]
    except ServerUnusableError as unusable:
        return [error("nats-server", str(unusable), "make setup")]
