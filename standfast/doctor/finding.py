"""What checks are given, and what they find."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from events.base import Value

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from events.log import Log
    from standfast.paths import StateDirectory
    from standfast.runtime import Situation

    Check = Callable[["Patient"], Awaitable["list[Finding]"]]


class Finding(Value):
    """One thing that was looked at: how it is, and which command helps where it is not well."""

    name: str
    state: Literal["ok", "warning", "error"]
    message: str
    command: str = ""


@dataclass(slots=True)
class Patient:
    """What there is to look at. `situation` and `log` are None where there are none.

    A log `is_log_closed` that is there and takes no commits, as while it is restored.
    """

    directory: StateDirectory
    situation: Situation | None = None
    log: Log | None = None
    supervisor_pid: int | None = None
    trouble: str = field(default="")
    is_log_closed: bool = False


def ok(name: str, message: str) -> Finding:
    """Say that something is well."""
    return Finding(name=name, state="ok", message=message)


def warning(name: str, message: str, command: str = "") -> Finding:
    """Say that something will become trouble, or is less than it should be."""
    return Finding(name=name, state="warning", message=message, command=command)


def error(name: str, message: str, command: str = "") -> Finding:
    """Say that something is wrong."""
    return Finding(name=name, state="error", message=message, command=command)
