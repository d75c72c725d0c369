"""What a child process is asked to be, and what it is found to be."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt

from events.base import Value

ChildName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "HOME", "USER", "LOGNAME")
LOG_BYTES_MAX = 10_000_000


def _signal_by_name(value: object) -> object:
    """Read a signal by its name (`SIGTERM`, `term`) or number."""
    if isinstance(value, str):
        name = value.upper().removeprefix("SIG")
        return signal.Signals.__members__.get(f"SIG{name}", value)
    return value


StopSignal = Annotated[signal.Signals, BeforeValidator(_signal_by_name)]


class ChildSpec(Value):
    """A program to run in the foreground, as one child at a time under its name.

    The program gets a small clean environment (`INHERITED`, from the supervisor, and HOME, USER
    and LOGNAME of `user`), so that no secret of the supervisor leaks; `environment` is added.
    `user` is who to be where the supervisor is root. Output is appended to `log_path` (default:
    beside the record), which is put aside as `.1` at start when it has outgrown `log_bytes_max`.
    """

    name: ChildName
    command: tuple[str, ...] = Field(min_length=1, max_length=1000)
    working_directory: Path = Path("/")
    environment: Mapping[str, str] = Field(default_factory=dict)
    stop_signal: StopSignal = signal.SIGTERM
    stop_timeout_seconds: PositiveFloat = 10.0
    log_path: Path | None = None
    log_bytes_max: PositiveInt = LOG_BYTES_MAX
    user: str | None = None


class Child(Value):
    """A child that runs: started just now, or adopted as it was found."""

    name: ChildName
    pid: PositiveInt
    run: str
    command: tuple[str, ...]
    is_adopted: bool


class Running(Value):
    """The recorded process lives. `started_seconds` is a wall-clock time (Unix epoch)."""

    pid: PositiveInt
    started_seconds: float


class Exited(Value):
    """The recorded process is gone; the code is negative for a signal, None where unknown."""

    code: int | None


class Zombie(Value):
    """The recorded process has ended, but its parent, who is not us, has not reaped it."""

    pid: PositiveInt


class NeverStarted(Value):
    """Nothing was ever recorded under the name."""


class Refused(Value):
    """The child could not be started or stopped, and why."""

    name: ChildName
    reason: str


Look = Running | Exited | Zombie | NeverStarted
Account = tuple[int, int, str]


def account_of(spec: ChildSpec) -> Account | Literal["unknown", "not allowed"] | None:
    """Find who to become: (uid, gid, name); None where we stay who we are."""
    if spec.user is None:
        return None
    try:
        entry = pwd.getpwnam(spec.user)
    except KeyError:
        return "unknown"
    if entry.pw_uid == os.geteuid():
        return None
    return (entry.pw_uid, entry.pw_gid, entry.pw_name) if os.geteuid() == 0 else "not allowed"


def environment_of(spec: ChildSpec) -> dict[str, str]:
    """Make the program's environment."""
    base = {name: os.environ[name] for name in INHERITED if name in os.environ}
    if spec.user is not None:
        home = pwd.getpwnam(spec.user).pw_dir
        base |= {"HOME": home, "USER": spec.user, "LOGNAME": spec.user}
    return {**base, **spec.environment}
