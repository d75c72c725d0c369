"""A worker sends commands at a pace, whatever their answers take, and writes down what came back.

Run as `python -m scenarios.faults.worker --name NAME ...` until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from actors.alert import AcknowledgeAlert, AnnotateAlert, FireAlert, ResolveAlert
from actors.runtime.commands import CommandClient, NoAnswerError
from actors.service import RequestProbe
from events.address import EntityAddress
from events.alert import Escalation
from events.ids import new_id
from events.server import ServerAddress, connect
from scenarios.faults.in_flight import InFlight
from scenarios.faults.lines import JsonLines

if TYPE_CHECKING:
    from actors.base import Command
    from actors.runtime.commands import Answer

PATIENCE_SECONDS = 60.0
JOIN_SECONDS = 0.2
IN_FLIGHT_MAX = 1_500
DRILLS = 8
RECEIVER = "ledger"
ACCEPTED = frozenset({"done", "unchanged", "duplicate"})
INSISTENT = Escalation(wait_seconds=3.0, repeats_max=1)
INSISTENT_SHARE = 0.3
RESOLVE_SHARE, ACKNOWLEDGE_SHARE, ANNOTATE_SHARE = 0.01, 0.02, 0.45


class CommandLog:
    """Sends commands, and writes of each when it was invoked and what came back."""

    def __init__(self, commands: CommandClient, directory: Path, worker: str) -> None:
        """Write to `commands-<worker>.jsonl` in a directory."""
        self._commands = commands
        self._lines = JsonLines(directory / f"commands-{worker}.jsonl")
        self.in_flight = InFlight(directory, worker)

    async def send(self, entity: EntityAddress, command: Command) -> Answer | None:
        """Send a command until it is answered; None where nobody answered in time."""
        command_id = new_id()
        self._invoked(command_id, entity, command)
        try:
            answer = await self._commands.send(
                entity, command, command_id=command_id, patience_seconds=PATIENCE_SECONDS
            )
        except NoAnswerError as error:
            self._returned("unknown", command_id, "", 0, str(error))
            return None
        kind = "ok" if answer.outcome.value in ACCEPTED else "fail"
        self._returned(kind, command_id, answer.outcome.value, answer.sequence, answer.message)
        return answer

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def _invoked(self, command_id: str, entity: EntityAddress, command: Command) -> None:
        self.in_flight.invoke()
        line = {
            "type": "invoke",
            "command_id": command_id,
            "entity": str(entity),
            "command": type(command).__name__,
            "monotonic": time.monotonic(),
            "time": datetime.now(UTC).isoformat(),
        }
        self._lines.write(line)

    def _returned(
        self, kind: str, command_id: str, outcome: str, sequence: int, message: str
    ) -> None:
        line = {
            "type": kind,
            "command_id": command_id,
            "outcome": outcome,
            "sequence": sequence,
            "monotonic": time.monotonic(),
            "message": message[:200],
        }
        self._lines.write(line)
        self.in_flight.come_back()


@dataclass(slots=True)
class Mix:
    """What is sent next: probes wanted of services, and drills: alerts that live a short life."""

    name: str
    services: tuple[str, ...]
    chance: random.Random
    drills: list[EntityAddress] = field(default_factory=list)
    _told: int = 0

    def next(self) -> tuple[EntityAddress, Command]:
        """Choose a command."""
        self._told += 1
        if len(self.drills) < DRILLS:
            return self._fire()
        share = self.chance.random()
        place = self.chance.randrange(len(self.drills))
        if share < RESOLVE_SHARE:
            return self.drills.pop(place), ResolveAlert(reason="the drill is over")
        if share < RESOLVE_SHARE + ACKNOWLEDGE_SHARE:
            return self.drills[place], AcknowledgeAlert(by=f"person:{self.name}")
        if share < RESOLVE_SHARE + ACKNOWLEDGE_SHARE + ANNOTATE_SHARE:
            return self.drills[place], AnnotateAlert(annotations={"summary": f"note {self._told}"})
        service = self.chance.choice(self.services)
        return EntityAddress("service", service), RequestProbe(reason=f"{self.name} {self._told}")

    def _fire(self) -> tuple[EntityAddress, Command]:
        drill = EntityAddress("alert", f"drill-{new_id()}")
        self.drills.append(drill)
        labels = {"alertname": "Drill", "severity": "info"}
        insistent = self.chance.random() < INSISTENT_SHARE
        wish = FireAlert(
            labels=labels,
            severity="info",
            receivers=(RECEIVER,),
            escalation=INSISTENT if insistent else Escalation(),
        )
        return drill, wish


@dataclass(slots=True)
class Worker:
    """Sends a mix of commands at a pace until told to stop; then its drills end."""

    log: CommandLog
    mix: Mix
    per_second: float
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[object]] = field(default_factory=set)

    async def run(self) -> None:
        """Send until stopped, then wait for what is in flight."""
        began, number = time.monotonic(), 0
        while not self.stop.is_set():
            if self.log.in_flight.count < IN_FLIGHT_MAX:
                self._send(*self.mix.next())
            else:
                self.log.in_flight.skip()
            number += 1
            await self._until(began + number / self.per_second)
        await self._come_to_rest()
        for drill in self.mix.drills:
            self._send(drill, ResolveAlert(reason="the worker stops"))
        await self._come_to_rest()

    def _send(self, entity: EntityAddress, command: Command) -> None:
        task = asyncio.create_task(self.log.send(entity, command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until(self, moment: float) -> None:
        left_seconds = moment - time.monotonic()
        if left_seconds <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(left_seconds):
                await self.stop.wait()
        except TimeoutError:
            return

    async def _come_to_rest(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--per-second", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("services", nargs="+")
    return parser.parse_args()


async def _run(given: argparse.Namespace) -> None:
    address = ServerAddress(given.url, given.token_file.read_text())
    while True:
        try:
            client = await connect(address, given.name)
            break
        except OSError:
            await asyncio.sleep(JOIN_SECONDS)
    commands = CommandClient(client, principal=f"person:{given.name}", source="/faults")
    mix = Mix(given.name, tuple(given.services), random.Random(given.seed))  # noqa: S311
    worker = Worker(CommandLog(commands, given.output, given.name), mix, given.per_second)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop.set)
    await worker.run()
    worker.log.close()
    await client.close()


def main() -> int:
    """Send until SIGTERM."""
    asyncio.run(_run(_arguments()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
