"""Quiet after the storm: all is mended, nothing is due, and the log has come to rest."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp

from actors.runtime.description import ask_host
from actors.runtime.store import Store
from events.placement import BucketRange
from scenarios.faults.stand import HOSTS

if TYPE_CHECKING:
    from scenarios.faults.stand import Stand

LOOK_SECONDS = 0.5
REST_SECONDS = 5.0
QUIET_SECONDS_MAX = 180.0
INTENDING = ("alert", "recovery")


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


async def _unrest(stand: Stand) -> str:
    """Say what is not quiet yet; nothing where all is."""
    assert stand.client is not None, "the stand has started"
    if stand.outages.open:
        return f"{', '.join(stand.outages.open)} down"
    for name in HOSTS:
        described = await ask_host(stand.client, name, entities=False)
        if not (described.answered and described.ready):
            return f"{name} is not ready"
    try:
        return await _told_by_web(stand)
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"the web does not answer: {error}"


async def _told_by_web(stand: Stand) -> str:
    services = (await stand.get("/api/services"))["services"]
    if unwell := [one["name"] for one in services if one["state"] != "healthy"]:
        return f"{', '.join(unwell)} not healthy"
    for kind, state in (("alerts", "firing"), ("alerts", "acknowledged"), ("incidents", "open")):
        if found := (await stand.get(f"/api/{kind}?state={state}"))[kind]:
            return f"{len(found)} {kind} are {state}, one is {found[0]}"
    return ""


async def _unfinished(stand: Stand) -> str:
    """Say which intent is open, read from the log."""
    ranges = [BucketRange(kind=kind) for kind in INTENDING]
    entities = await Store(await stand.log()).load(ranges)
    found = [str(address) for address, entity in entities.items() if entity.intents]
    return f"{len(found)} entities have open intents, one is {found[0]}" if found else ""
