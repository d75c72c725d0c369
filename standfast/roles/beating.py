"""The projector's pulse: a heartbeat counts when it has passed prober, log and projections."""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from events.address import encode_token
from events.log import LogUnavailableError
from events.reader import Start
from events.subjects import telemetry_subject
from events.telemetry_log import HEARTBEAT, TelemetryReader
from standfast.watchdog.pulse import Pulse

if TYPE_CHECKING:
    from nats.aio.client import Client

    from standfast.roles.projector import Projector
    from standfast.watchdog.pulse import PulseFile

PROBER = "prober"
_LOGGER = logging.getLogger(__name__)


async def keep_pulse(projector: Projector, client: Client, file: PulseFile) -> None:
    """Write a pulse for each of the prober's heartbeats, for as long as projections move on.

    They need not be at the log's end, but where they were behind they must have come on since.
    """
    subject = telemetry_subject(HEARTBEAT, encode_token(PROBER))
    reader = TelemetryReader(client, [subject], Start(time=datetime.now(UTC)))
    reached = wanted = 0
    stream = reader.batches()
    async with contextlib.aclosing(stream):
        async for stored in stream:
            is_stuck = projector.is_open and reached == projector.sequence < wanted
            if not stored or is_stuck:
                continue
            try:
                await projector.touch()
                reached = projector.sequence
                file.write(Pulse(beat=stored[-1].batch.start, sequence=reached))
                wanted = await projector.head_sequence()
            except (LogUnavailableError, SQLAlchemyError, OSError) as error:
                _LOGGER.warning("no pulse: %s", error)
