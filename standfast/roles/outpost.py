"""The outpost: the prober's process, which also watches while it can't join the log."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError

from actors.runtime.commands import CommandClient
from effects.ending import end_tasks
from effects.lag import LoopLag
from effects.probes.canary import INTERVAL_SECONDS
from effects.probes.scheduler import Scheduler
from events.log import Log
from events.server import connect
from events.succession import watch_generation
from standfast.emergency.diagnosis import Diagnosis
from standfast.emergency.emergency import EMERGENCY_SECONDS, Emergency
from standfast.emergency.merging import Merger
from standfast.emergency.vigil import LOOK_SECONDS
from standfast.roles.lookout import Lookout
from standfast.roles.prober import Prober, ProberSettings, WithoutLog
from standfast.watchdog.watchdog import JOURNAL

if TYPE_CHECKING:
    from events.service import Check
    from standfast.runtime import Situation

NAME = "prober"
JOIN_SECONDS = 0.2
UNREACHABLE = Diagnosis("it can't be joined: its server does not run, or does not answer")
_LOGGER = logging.getLogger(__name__)


async def probe(situation: Situation) -> None:
    """Watch until cancelled, with the log as soon as it can be joined, until it was restored."""
    directory = situation.directory
    emergency = Emergency(directory.emergency)
    try:
        log = await _watch_until_joined(situation, emergency)
        commands = CommandClient(
            log.client,
            principal=f"process:{NAME}",
            source=f"/standfast/{NAME}",
            generation=log.identity.generation,
        )
        platform, journal = situation.runtime.platform, directory.watchdog / JOURNAL
        is_ours = not situation.configuration.log.url
        without_log = WithoutLog(
            emergency,
            Merger(commands, log.identity, platform, journal),
            directory.log if is_ours else None,
        )
        settings = ProberSettings(children=directory.children)
        prober = Prober(log, situation.runtime.vantage(NAME), settings, without_log)
        async with asyncio.TaskGroup() as group:
            group.create_task(prober.run())
            group.create_task(watch_generation(log))
    finally:
        emergency.close()


async def _watch_until_joined(situation: Situation, emergency: Emergency) -> Log:
    """Give the log when it can be joined; what takes long is an emergency."""
    joining = asyncio.create_task(_join(situation))
    parts: list[asyncio.Task[None]] = []
    try:
        await asyncio.wait({joining}, timeout=EMERGENCY_SECONDS)
        if not joining.done():
            parts = [asyncio.create_task(Outpost(situation, emergency).run())]
            await asyncio.wait({joining, *parts}, return_when=asyncio.FIRST_COMPLETED)
        for part in parts:
            if part.done():
                part.result()
        return joining.result()
    finally:
        await end_tasks([*parts, joining])


async def _join(situation: Situation) -> Log:
    while True:
        with suppress(OSError, TimeoutError, NatsError):
            return await _open_log(situation)
        await asyncio.sleep(JOIN_SECONDS)


async def _open_log(situation: Situation) -> Log:
    """Open the log by a connection of its own, which is closed where that fails."""
    client = await connect(situation.runtime.address, NAME)
    try:
        return await Log.open(client)
    except BaseException:
        await client.close()
        raise


class Outpost:
    """Watches what is configured, in an emergency from the first moment on."""

    def __init__(self, situation: Situation, emergency: Emergency) -> None:
        """Prepare; nothing is touched before `run`."""
        self._situation = situation
        self._emergency = emergency
        self._lookout = Lookout(situation.directory.children, None, INTERVAL_SECONDS, LoopLag())
        self._scheduler = Scheduler(self._check)

    async def run(self) -> None:
        """Watch until cancelled."""
        self._begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lookout.run())
            group.create_task(self._scheduler.run())
            group.create_task(self._keep_concluding())

    def _begin(self) -> None:
        services, now = self._situation.configuration.services, datetime.now(UTC)
        outage = self._emergency.outage
        newest = outage.newest if outage else {}
        known_down = set(outage.began.down if outage else ())
        for name, settings in services.items():
            said = newest.get(name)
            was_down = said.verdict == "down" if said else name in known_down
            self._emergency.judge.configure(name, settings.checks, now, was_down=was_down)
            self._scheduler.replace(name, settings.checks)
        if outage is None:
            self._emergency.begin(now, UNREACHABLE, {})

    async def _keep_concluding(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._emergency.judge.watching.advance(datetime.now(UTC), 0)
            self._emergency.conclude({})

    async def _check(self, service: str, check: Check) -> None:
        sighting = await self._lookout.look(check)
        self._emergency.judge.count(service, check.name, sighting.reading, sighting.distrust)
