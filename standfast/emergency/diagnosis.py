"""Why the log takes nothing, in words for people, and whether its server hangs."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.errors import Error as JetStreamError

from actors.runtime.commands import NoAnswerError
from events.log import LogUnavailableError
from events.subjects import STATE_SUBJECTS
from standfast.hosts_asked import ask_hosts, host_names

if TYPE_CHECKING:
    from pathlib import Path

    from nats.js.api import StreamInfo

    from events.log import Log

ASK_SECONDS = 2.0
FREE_BYTES_MIN = 16 * 1024 * 1024
FULL_SHARE = 0.98
COMMIT_BYTES_MIN = 512
"""No commit takes less room, its headers included."""
CLOSED = "it is closed, as while it is restored"
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why; `hangs` where the log's server is there and does not answer.

    `restart_helps` where it answers, and never gets over it by itself.
    """

    reason: str
    hangs: bool = False
    restart_helps: bool = False


async def diagnose(log: Log, log_directory: Path | None) -> Diagnosis:
    """Say why; `log_directory` is given where the log is on this machine."""
    if log_directory is not None and _is_full(log_directory):
        return Diagnosis("its disk is full")
    if not log.client.is_connected:
        return Diagnosis("its server does not run, or can't be reached")
    try:
        async with asyncio.timeout(ASK_SECONDS):
            info = await log.client.jsm().stream_info(log.stream)
    except NoRespondersError:
        reason = "its server keeps nothing any more: its disk failed"
        return Diagnosis(reason, restart_helps=True)
    except TimeoutError:
        return Diagnosis("its server does not answer: it is stopped, or hangs", hangs=True)
    except JetStreamError:
        reason = "its server refuses: its disk failed, or it is at its limit"
        return Diagnosis(reason, restart_helps=True)
    except (NatsError, OSError):
        return Diagnosis("its server can't be reached")
    return _of_stream(info) or await _of_hosts(log)


def _of_stream(info: StreamInfo) -> Diagnosis | None:
    limit = info.config.max_bytes or 0
    if limit > 0 and info.state.bytes > limit * FULL_SHARE:
        return _full(f"{limit / MIB:.1f} MiB")
    return refusal_in(info)


def _full(limit: str) -> Diagnosis:
    return Diagnosis(f"it is full: it has reached its limit of {limit}")


async def refusal_of(log: Log) -> Diagnosis | None:
    """Say why the log takes no commit at all, as far as its own settings tell; else None.

    Raises `NatsError`, `TimeoutError` or `OSError` where it does not answer.
    """
    async with asyncio.timeout(ASK_SECONDS):
        info = await log.client.jsm().stream_info(log.stream)
    return refusal_in(info)


def refusal_in(info: StreamInfo) -> Diagnosis | None:
    """Say why a stream takes no commit at all. One with little room left may take small ones."""
    limit = info.config.max_bytes or 0
    if 0 < limit < info.state.bytes + COMMIT_BYTES_MIN:
        return _full(f"{limit / MIB:.1f} MiB")
    messages = info.config.max_msgs or 0
    if 0 < messages <= info.state.messages:
        return _full(f"{messages} commits")
    return Diagnosis(CLOSED) if info.config.subjects != [STATE_SUBJECTS] else None


async def _of_hosts(log: Log) -> Diagnosis:
    """Where the log can be read, the hosts do not write, or it takes nothing of them."""
    try:
        asked = await ask_hosts(log.client, await host_names(log), entities=False)
    except (LogUnavailableError, NoAnswerError, NatsError, OSError):
        return Diagnosis("it can't be read")
    silent = [host.name for host in asked.hosts if not (host.answered and host.ready)]
    if silent:
        return Diagnosis(f"it can be read, but these do not write into it: {', '.join(silent)}")
    reason = "it can be read, but takes nothing: look at its disk"
    return Diagnosis(reason, restart_helps=True)


def _is_full(directory: Path) -> bool:
    """Say whether the disk of a directory has no room to speak of."""
    try:
        return shutil.disk_usage(directory).free < FREE_BYTES_MIN
    except OSError:
        return False
