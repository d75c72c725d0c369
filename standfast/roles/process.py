"""One of Standfast's plain processes: it joins the log, beats, and does its work until told."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.runtime.commands import CommandClient
from effects.ending import end_tasks
from effects.heartbeat import Heartbeat
from effects.lag import LoopLag
from events.log import Log, LogReplacedError, LogUnavailableError
from events.server import connect
from events.succession import watch_generation
from standfast.emergency.spool import SPOOL
from standfast.paths import StateDirectory
from standfast.running import BEGINS_ANEW, say_build
from standfast.runtime import Situation
from standfast.supervisor.processes import WATCHDOG

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from nats.aio.client import Client

    Work = Callable[[Situation, Log], Coroutine[Any, Any, None]]

JOIN_SECONDS = 0.2
_LOGGER = logging.getLogger(__name__)
BEATEN_FOR = frozenset({"executor", "projector", "web"})
"""Processes that do not beat by themselves."""


def main(arguments: list[str]) -> int:
    """Run `ROLE --state-dir DIRECTORY` until SIGTERM; gives the exit code."""
    parser = argparse.ArgumentParser(prog="standfast process", description=__doc__)
    parser.add_argument("role", choices=sorted((*_WITHOUT_LOG, *_WORK)))
    parser.add_argument("--state-dir", type=Path, required=True)
    given = parser.parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s"
    )
    situation = Situation.read(StateDirectory(given.state_dir))
    say_build(situation.directory, given.role)
    return asyncio.run(_run(given.role, situation))


async def _run(role: str, situation: Situation) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    alone = _WITHOUT_LOG.get(role)
    work = asyncio.create_task(alone(situation) if alone else _join(role, situation))
    told = asyncio.create_task(stop.wait())
    await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        await end_tasks([work])
        return 0
    return _code_of(work)


def _code_of(work: asyncio.Task[None]) -> int:
    """Give the exit code of work that ended by itself. Raises what it raised for no good reason."""
    code = 1
    try:
        work.result()
    except* LogReplacedError as replaced:
        _LOGGER.warning("%s: %s", BEGINS_ANEW, _first_of(replaced))
        code = 0
    return code


def _first_of(error: BaseException) -> BaseException:
    """Give an error, or the first of a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _join(role: str, situation: Situation) -> None:
    """Do the work of a role until it ends, or until the log was restored: then begin anew."""
    log = await _open_log(role, situation)
    parts: list[asyncio.Task[None]] = [
        asyncio.create_task(_WORK[role](situation, log)),
        asyncio.create_task(watch_generation(log)),
    ]
    if role in BEATEN_FOR:
        parts.append(asyncio.create_task(_beat(role, situation, log.client)))
    try:
        ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        for part in ended:
            part.result()
    finally:
        await end_tasks(parts)


async def _open_log(role: str, situation: Situation) -> Log:
    while True:
        try:
            client = await connect(situation.runtime.address, role)
            break
        except OSError:
            await asyncio.sleep(JOIN_SECONDS)
    while True:
        try:
            return await Log.open(client)
        except LogUnavailableError:  # it is being restored
            await asyncio.sleep(JOIN_SECONDS)


async def _beat(role: str, situation: Situation, client: Client) -> None:
    lag = LoopLag()
    heartbeat = Heartbeat(client, situation.runtime.vantage(role), lag)
    await asyncio.gather(lag.run(), heartbeat.run())


async def _watchdog(situation: Situation) -> None:
    """It joins nothing: what it watches may be lost altogether."""
    from standfast.watchdog.watchdog import Watchdog  # noqa: PLC0415

    await Watchdog(situation).run()


async def _prober(situation: Situation) -> None:
    """It waits for no log: while that can't be joined, it watches what is configured."""
    from standfast.roles.outpost import probe  # noqa: PLC0415  (each loads only its own)

    await probe(situation)


async def _evaluator(situation: Situation, log: Log) -> None:
    from standfast.emergency.reading import OutageReader  # noqa: PLC0415
    from standfast.roles.evaluator import Evaluator, EvaluatorSettings  # noqa: PLC0415

    vantage = situation.runtime.vantage("evaluator")
    spool = situation.directory.emergency / SPOOL
    settings = EvaluatorSettings(is_left=OutageReader(spool).speaks_of)
    await Evaluator(log, _commands(log, "evaluator"), vantage, settings).run()


async def _projector(situation: Situation, log: Log) -> None:
    from standfast.roles.beating import keep_pulse  # noqa: PLC0415
    from standfast.roles.projector import Projector  # noqa: PLC0415
    from standfast.watchdog.pulse import PulseFile  # noqa: PLC0415

    projector = Projector(log, situation.projections_url)
    pulse = PulseFile(situation.directory.pulse)
    async with asyncio.TaskGroup() as group:
        group.create_task(projector.run())
        group.create_task(keep_pulse(projector, log.client, pulse))


async def _executor(situation: Situation, log: Log) -> None:
    from standfast.roles.wiring import run_executor  # noqa: PLC0415

    await run_executor(situation, log, _commands(log, "executor"))


async def _web(situation: Situation, log: Log) -> None:
    from standfast.roles.wiring import serve_web  # noqa: PLC0415

    await serve_web(situation, log)


def _commands(log: Log, name: str) -> CommandClient:
    return CommandClient(
        log.client,
        principal=f"process:{name}",
        source=f"/standfast/{name}",
        generation=log.identity.generation,
    )


_WITHOUT_LOG: dict[str, Callable[[Situation], Coroutine[Any, Any, None]]] = {
    WATCHDOG: _watchdog,
    "prober": _prober,
}
_WORK: dict[str, Work] = {
    "evaluator": _evaluator,
    "projector": _projector,
    "executor": _executor,
    "web": _web,
}
