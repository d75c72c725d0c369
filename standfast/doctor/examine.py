"""All checks, one after the other, over whatever there is to look at."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from events.log import Log, LogUnavailableError
from events.server import connect
from standfast.doctor import emergency, log, machine, processes, ray
from standfast.doctor.finding import Finding, Patient, error
from standfast.doctor.words import translated
from standfast.running import supervisor_pid
from standfast.runtime import NotRunningError, Situation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from standfast.doctor.finding import Check
    from standfast.paths import StateDirectory

CHECK_SECONDS = 10.0
CONNECT_SECONDS = 3.0
CHECKS: tuple[Check, ...] = (
    machine.python,
    machine.state_directory,
    machine.disk,
    machine.nats_server,
    processes.supervisor,
    processes.processes,
    emergency.watchdog,
    emergency.spool,
    log.streams,
    processes.heartbeats,
    log.hosts,
    log.policies,
    ray.head,
    ray.token,
    processes.web,
    log.projections,
)


async def examine(directory: StateDirectory) -> list[Finding]:
    """Look at everything. A check that fails itself is a finding, and stops no other."""
    async with _patient(directory) as patient:
        found: list[Finding] = []
        for check in CHECKS:
            found += await _run(check, patient)
        return found


async def _run(check: Check, patient: Patient) -> list[Finding]:
    name = str(getattr(check, "__name__", check)).replace("_", " ")
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check(patient)
    except TimeoutError:
        return [error(name, f"no answer within {CHECK_SECONDS:g} s")]
    except Exception as failure:  # noqa: BLE001  (a doctor must not fall ill with the patient)
        return [error(name, translated(f"{type(failure).__name__}: {failure}"))]


@asynccontextmanager
async def _patient(directory: StateDirectory) -> AsyncIterator[Patient]:
    patient = Patient(directory, supervisor_pid=supervisor_pid(directory))
    client: Client | None = None
    try:
        patient.situation = Situation.read(directory)
        client = await _connect(patient.situation)
        patient.log = await Log.open(client)
    except LogUnavailableError as failure:
        patient.trouble, patient.is_log_closed = str(failure), True
    except NotRunningError as failure:
        patient.trouble = str(failure)
    except (TimeoutError, NatsError, NotFoundError, OSError) as failure:
        patient.trouble = translated(f"{type(failure).__name__}: {failure}")
    try:
        yield patient
    finally:
        if client is not None:
            await client.close()


async def _connect(situation: Situation) -> Client:
    async with asyncio.timeout(CONNECT_SECONDS):
        return await connect(situation.runtime.address, "doctor")
