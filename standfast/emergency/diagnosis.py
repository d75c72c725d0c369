"""Why the log takes nothing, in words for people."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.errors import Error as JetStreamError

if TYPE_CHECKING:
    from pathlib import Path

    from events.log import Log

ASK_SECONDS = 2.0
FREE_BYTES_MIN = 16 * 1024 * 1024
FULL_SHARE = 0.98
MIB = 1024 * 1024


async def diagnose(log: Log, log_directory: Path | None) -> str:
    """Say why; `log_directory` is given where the log is on this machine."""
    if log_directory is not None and _is_full(log_directory):
        return "its disk is full"
    if not log.client.is_connected:
        return "its server does not run, or can't be reached"
    try:
        async with asyncio.timeout(ASK_SECONDS):
            info = await log.client.jsm().stream_info(log.stream)
    except NoRespondersError:
        return "its server keeps nothing any more: its disk failed, or is full"
    except TimeoutError:
        return "its server does not answer: it is stopped, or hangs"
    except JetStreamError:
        return "its server refuses: its disk failed, or it has reached its limit"
    except (NatsError, OSError):
        return "its server can't be reached"
    limit = info.config.max_bytes or 0
    if limit > 0 and info.state.bytes > limit * FULL_SHARE:
        return f"it is full: it has reached its limit of {limit / MIB:.1f} MiB"
    return "it can be read, but no host writes into it"


def _is_full(directory: Path) -> bool:
    try:
        return shutil.disk_usage(directory).free < FREE_BYTES_MIN
    except OSError:
        return False
