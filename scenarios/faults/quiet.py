"""Quiet after the storm: all is mended, nothing is due, and the log has come to rest."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp

from actors.runtime.description import ask_host
from actors.runtime.store import Store
from events.placement import BucketRange
from scenarios.checker.broken_times import RAY, RESTARTED_WITHIN
from scenarios.checker.due import LATE
from scenarios.faults.stand import HOSTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scenarios.faults.journal import JournalEntry
    from scenarios.faults.stand import Stand

LOOK_SECONDS = 0.5
REST_SECONDS = 5.0
QUIET_SECONDS_MAX = 180.0
INTENDING = ("alert", "recovery")
RECOVERY_SECONDS_MAX = 120.0


async def unrest_after(stand: Stand, timeout_seconds: float = QUIET_SECONDS_MAX) -> str:
    """Wait until nothing happens any more; gives what still does when patience ends."""
    until = time.monotonic() + timeout_seconds
    head, since = -1, time.monotonic()
    while True:
        unrest = await _unrest(stand)
        now = await (await stand.log()).head_sequence()
        if now != head or unrest:
            head, since = now, time.monotonic()
        if time.monotonic() - since > REST_SECONDS:
            unrest = await _unfinished(stand)
            if not unrest:
                return ""
        if time.monotonic() > until:
            return unrest or f"the log still grows, at {now}"
        await asyncio.sleep(LOOK_SECONDS)


async def wait_recovered(stand: Stand, faults: Sequence[JournalEntry]) -> None:
    """Wait until no fault is an excuse any more, and all is well; not for ever."""
    since = max((_excused_until(fault) for fault in faults), default=0.0)
    await asyncio.sleep(max(0.0, since - time.monotonic()))
    until = time.monotonic() + RECOVERY_SECONDS_MAX
    while await _unwell(stand):
        if time.monotonic() > until:
            return
        await asyncio.sleep(LOOK_SECONDS)


def _excused_until(fault: JournalEntry) -> float:
    recovers = RESTARTED_WITHIN if fault.target in RAY else LATE
    return (fault.ended or fault.began) + recovers.total_seconds()


async def _unrest(stand: Stand) -> str:
    """Say what is not quiet yet; nothing where all is."""
    if unwell := await _unwell(stand):
        return unwell
    for kind, state in (("alerts", "firing"), ("alerts", "acknowledged"), ("incidents", "open")):
        try:
            found = (await stand.get(f"/api/{kind}?state={state}"))[kind]
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"the web does not answer: {error}"
        if found:
            return f"{len(found)} {kind} are {state}, one is {found[0]}"
    return ""


async def _unwell(stand: Stand) -> str:
    """Say what of the platform or of Standfast is not well; nothing where all is."""
    assert stand.client is not None, "the stand has started"
    if stand.outages.open:
        return f"{', '.join(stand.outages.open)} down"
    for name in HOSTS:
        described = await ask_host(stand.client, name, entities=False)
        if not (described.answered and described.ready):
            return f"{name} is not ready"
    try:
        services = (await stand.get("/api/services"))["services"]
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"the web does not answer: {error}"
    unwell = [one["name"] for one in services if one["state"] != "healthy"]
    return f"{', '.join(unwell)} not healthy" if unwell else ""


async def _unfinished(stand: Stand) -> str:
    """Say which intent is open, read from the log."""
    ranges = [BucketRange(kind=kind) for kind in INTENDING]
    entities = await Store(await stand.log()).load(ranges)
    found = [str(address) for address, entity in entities.items() if entity.intents]
    return f"{len(found)} entities have open intents, one is {found[0]}" if found else ""
