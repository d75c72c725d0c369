"""Standfast as it is simulated: hosts, executor and edge, each a process that can end."""

from __future__ import annotations

import asyncio
import shutil
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, cast

from nats.errors import Error as NatsError

from actors.placement import PlaceBuckets
from actors.runtime.drain import BucketLostError
from actors.runtime.executor.executor import Executor
from actors.runtime.host import PLACEMENT_ADDRESS, Host, HostSettings
from actors.runtime.solo import SoloWriter
from effects.journal import Journal
from effects.notifiers.notify import Notify
from effects.notifiers.settings import WebhookReceiver
from events.commit import Author
from events.log import Log, LogFullError, LogUnavailableError
from events.placement import BucketRange
from events.reader import Pace
from scenarios.simulation.children import (
    SimulatedChildren,
    WatchedRestart,
    WatchedStart,
    WatchedStop,
)
from scenarios.simulation.client import SimulatedClient
from scenarios.simulation.commands import RecordedCommands
from scenarios.simulation.edge import Edge
from scenarios.simulation.process import Process
from scenarios.simulation.receivers import Receiver, SimulatedWebhook

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenarios.simulation.process import Clock
    from scenarios.simulation.record import Record
    from scenarios.simulation.server import Server
    from scenarios.simulation.world import World

AUTHOR = Author("simulated", "cell", "build")
PACE = Pace(heartbeat_seconds=60.0, looks=3)
LOOK_SECONDS = 30.0
RESTART_SECONDS = (0.5, 3.0)
SKEW_SECONDS = 0.3
ENDINGS_MAX = 20
"""So often tasks are cancelled that begin others when they are."""
EXPECTED = (
    LogUnavailableError,
    LogFullError,
    BucketLostError,
    NatsError,
    OSError,
    TimeoutError,
)
"""What a host may end with, to be started anew: it did not reach the log, or another of its name
wrote its own record before it, three times."""

HOSTED: dict[str, tuple[str, ...]] = {
    "service-host": ("service",),
    "alert-host": ("alert",),
    "recovery-host": ("recovery",),
    "coordinator": ("platform", "topology", "incident", "policy"),
}


@dataclass(slots=True, eq=False)
class Life:
    """One life of a part: its process and its client. `part` is the host, executor or edge."""

    seed: int
    name: str
    number: int
    process: Process
    client: SimulatedClient
    part: Any = None
    task: asyncio.Task[Any] | None = None

    def chance(self, name: str) -> Random:
        """Give a source of chance of its own for one thing in this life."""
        return Random(f"{self.seed}/{self.process.name}/{name}")  # noqa: S311


@dataclass(slots=True)
class Cluster:
    """All parts that run. Each starts anew when it ends, as under its supervisor.

    `dying(life)` is called before a life ends, while all that it has in memory is there.
    """

    seed: int
    server: Server
    world: World
    record: Record
    clock: Clock
    receivers: dict[str, Receiver]
    directory: Path
    lives: dict[str, Life] = field(default_factory=dict)
    doubles: list[Life] = field(default_factory=list)
    past: list[Life] = field(default_factory=list)
    placed: dict[str, tuple[BucketRange, ...]] = field(default_factory=dict)
    journal: Path | None = None
    dying: list[Callable[[Life], None]] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _context: Context = field(default_factory=Context)
    _ended: bool = False

    # --- lives ---------------------------------------------------------------------------

    def begin(self, name: str) -> Life:
        """Begin a new process under a name, with a connection of its own."""
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        chance = Random(f"{self.seed}/{name}/{number}")  # noqa: S311
        skew_seconds = Random(f"{self.seed}/{name}").uniform(-SKEW_SECONDS, SKEW_SECONDS)  # noqa: S311
        process = Process(f"{name}/{number}", chance, self.clock, skew_seconds)
        client = process.context.run(SimulatedClient, self.server, process, chance)
        return Life(self.seed, name, number, process, client)

    def start(self, name: str) -> Life:
        """Start a part."""
        life = self.lives[name] = self._run(name)
        return life

    def start_double(self, name: str) -> Life:
        """Start a second host of a name, beside the one that lives."""
        life = self._run(name)
        self.doubles.append(life)
        return life

    def _run(self, name: str) -> Life:
        life = self.begin(name)
        work = {"executor": self._execute, "edge": self._watch}.get(name, self._host)
        life.task = life.process.start(work(life))
        life.task.add_done_callback(lambda task: self._over(life, task), context=self._context)
        return life

    def _over(self, life: Life, task: asyncio.Task[Any]) -> None:
        """Note why a part ended, and start it anew."""
        if self._ended or task.cancelled():
            return
        error = task.exception()
        self.record.ended(life.name, error, expected=isinstance(error, EXPECTED))
        self.kill(life)

    def kill(self, life: Life) -> None:
        """End a life at once, at whatever it did; it begins anew unless another lives."""
        if life.process.is_killed:
            return
        for listener in self.dying:
            listener(life)
        life.process.kill()
        life.client.connection.end()
        self.past.append(life)
        if life in self.doubles:
            self.doubles.remove(life)
            return
        seconds = Random(f"{self.seed}/{life.process.name}/restart").uniform(*RESTART_SECONDS)  # noqa: S311
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, self._start_again, life, context=self._context)

    def _start_again(self, life: Life) -> None:
        if not self._ended and self.lives.get(life.name) is life:
            self.start(life.name)

    async def finish(self) -> None:
        """Let nothing start anew, and end all tasks, those of killed processes too."""
        self._ended = True
        for life in (*self.past, *self.doubles, *self.lives.values()):
            life.client.is_closed = True
            life.client.connection.end()
            life.process.is_killed = False
            life.process.resume()
        await _end_all()

    # --- parts ---------------------------------------------------------------------------

    async def _host(self, life: Life) -> None:
        log = await self.log_of(life)
        settings = HostSettings(life.name, AUTHOR, look_seconds=LOOK_SECONDS, pid=life.number)
        life.part = Host(log, settings)
        await life.part.run()

    async def _execute(self, life: Life) -> None:
        log = await self.log_of(life)
        webhook = SimulatedWebhook(self.receivers, life.chance("part"))
        settings = {name: WebhookReceiver(url="http://receiver/") for name in self.receivers}
        notify = Notify(log, settings, _webhook=cast("Any", webhook), _apprise=cast("Any", webhook))
        children = SimulatedChildren(self.world, life.chance("part"), self.record)
        shared = (cast("Any", children), children.settings_of, _ignore)
        effects: dict[str, Any] = {
            "notify": notify,
            "process.start": WatchedStart(*shared),
            "process.stop": WatchedStop(*shared),
            "process.restart": WatchedRestart(*shared),
        }
        journal = Journal(self._journal_of(life))
        commands = RecordedCommands(life.client, "process:executor", self.record)
        life.part = Executor(
            "executor", cast("Any", life.client), commands, effects, journal, log=log.identity
        )
        await life.part.run()

    def _journal_of(self, life: Life) -> Path:
        """Give a folder with what the last life left on disk; a killed one keeps its files."""
        folder = self.directory / life.process.name.replace("/", "-")
        if self.journal is not None and (self.journal / "journal").exists():
            folder.mkdir()
            shutil.copy(self.journal / "journal", folder / "journal")
        self.journal = folder
        return folder

    async def _watch(self, life: Life) -> None:
        log = await self.log_of(life)
        life.part = Edge(log, self.world, life.chance("part"), self.record)
        await life.part.run()

    async def log_of(self, life: Life) -> Log:
        """Open the log by a life's client."""
        return await Log.open(cast("Any", life.client), PACE)

    # --- placement -----------------------------------------------------------------------

    async def place(self, life: Life, hosts: dict[str, tuple[BucketRange, ...]]) -> None:
        """Place all buckets anew, as the supervisor does."""
        log = await self.log_of(life)
        writer = await SoloWriter.open(log, AUTHOR, "process:supervisor", PLACEMENT_ADDRESS)
        await writer.give(PlaceBuckets(hosts=hosts))
        self.placed = hosts


def whole_kinds() -> dict[str, tuple[BucketRange, ...]]:
    """Give the placement of one machine: each host has all buckets of its kinds."""
    return {name: tuple(BucketRange(kind=kind) for kind in kinds) for name, kinds in HOSTED.items()}


def _ignore(_service: str) -> None:
    """Nobody else watches the child."""


async def _end_all() -> None:
    """End all tasks, and those that they begin meanwhile; what they raise is no matter any more."""
    for _ in range(ENDINGS_MAX):
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=5)
