"""What a look has in common whatever the way: its time-out, and reasons that people understand."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from effects.ports import Observed

if TYPE_CHECKING:
    from collections.abc import Awaitable

REASON_LENGTH_MAX = 300
OWN_FAULTS = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL, errno.EAGAIN}
)
"""The prober's own want of descriptors, memory or ports; it says nothing about the service."""


@dataclass(frozen=True, slots=True)
class Good:
    """The service is as it should be; `remark` may say more."""

    remark: str = ""


@dataclass(frozen=True, slots=True)
class Bad:
    """The service is not as it should be, and why; or we could not look at all."""

    reason: str
    own_fault: bool = False


Finding = Good | Bad


async def observe(look: Awaitable[Finding], timeout_seconds: float, silence: str) -> Observed:
    """Await a look within its time-out and measure it; `silence` is the reason of a time-out."""
    start = time.monotonic()
    finding: Finding
    try:
        async with asyncio.timeout(timeout_seconds):
            finding = await look
    except TimeoutError:
        finding = Bad(f"{silence} within {timeout_seconds:g} s")
    return observed(finding, time.monotonic() - start)


def observed(finding: Finding, duration_seconds: float) -> Observed:
    """Give a finding the form in which it is told."""
    match finding:
        case Good(remark=remark):
            return Observed(succeeded=True, duration_seconds=duration_seconds, reason=shown(remark))
        case Bad(reason=reason, own_fault=own_fault):
            return Observed(
                succeeded=False,
                duration_seconds=duration_seconds,
                reason=shown(reason),
                own_fault=own_fault,
            )


def shown(text: str) -> str:
    """Make one short printable line of any text."""
    line = "".join(character if character.isprintable() else " " for character in text).strip()
    return line if len(line) <= REASON_LENGTH_MAX else f"{line[:REASON_LENGTH_MAX]}..."


def connection_failure(error: OSError, host: str, where: str) -> Bad:
    """Say why no connection came about. `where` is `host:port`."""
    if error.errno in OWN_FAULTS:
        return Bad(f"the prober itself can't connect: {error.strerror}", own_fault=True)
    if isinstance(error, socket.gaierror):
        return Bad(f"the name {host} can't be resolved: {error.strerror}")
    reasons = {
        errno.ECONNREFUSED: f"connection refused by {where}",
        errno.ECONNRESET: f"connection reset by {where}",
        errno.EHOSTUNREACH: f"no route to {where}",
        errno.ENETUNREACH: f"no route to {where}",
        errno.ETIMEDOUT: f"no answer from {where}",
    }
    known = reasons.get(error.errno or 0)
    return Bad(known or f"no connection to {where}: {error.strerror or error}")
