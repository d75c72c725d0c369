"""One seed, one run, one result."""

from __future__ import annotations

import asyncio
import gc
import logging
import tempfile
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, cast

from actors.platform import ConfigurePlatform
from actors.service import ConfigureService
from actors.topology import DeclareTopology
from events.address import EntityAddress
from events.alert import Escalation
from events.platform import PlatformSettings
from events.streams import StreamLimits, ensure_streams
from events.topology import Node
from scenarios.bugs import seeded
from scenarios.checker.report import claims_of
from scenarios.simulation.children import RECOVERY, settings_of
from scenarios.simulation.cluster import Cluster, whole_kinds
from scenarios.simulation.commands import RecordedCommands
from scenarios.simulation.ending import Ending
from scenarios.simulation.loop import VirtualLoop
from scenarios.simulation.memories import Memories
from scenarios.simulation.mishaps import Mishaps
from scenarios.simulation.people import People
from scenarios.simulation.plan import draw_plan
from scenarios.simulation.process import Clock
from scenarios.simulation.receivers import Receiver
from scenarios.simulation.record import Record
from scenarios.simulation.server import Server
from scenarios.simulation.world import World, draw_services

if TYPE_CHECKING:
    from datetime import datetime

    from actors.base import Command
    from scenarios.checker.records import Injected
    from scenarios.simulation.cluster import Life
    from scenarios.simulation.plan import Mishap
    from scenarios.simulation.settings import SimulationSettings

RECEIVERS = ("ops", "chat")
LOOK_SECONDS = 60.0
"""So often what is due and what hosts have in memory is looked at, where all is calm."""
TRUE_SECONDS = 300.0
HEAL_SHARES = (2 / 3, 1 / 3)
"""People mend all when it is over, and once more what recoveries left to them by then."""
MEMORY = Path("/dev/shm")  # noqa: S108  (a folder of its own is made there)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a run. `took_seconds` is time of one core, whatever else it did.

    `broken` names the invariants that do not hold; `last_steps` end with the one that broke them.
    `exercised` counts for each claim of the checker how often it was exercised.
    """

    settings: SimulationSettings
    problems: tuple[str, ...]
    broken: tuple[str, ...]
    digest: str
    counts: dict[str, int]
    faults: tuple[Injected, ...]
    exercised: dict[str, int]
    last_steps: tuple[str, ...]
    simulated_seconds: float
    took_seconds: float

    @property
    def speedup(self) -> float:
        """How many times faster than time."""
        return self.simulated_seconds / max(self.took_seconds, 1e-9)


def simulate(settings: SimulationSettings, plan: tuple[Mishap, ...] | None = None) -> Result:
    """Run one simulation to its end, by the seed's plan or by another."""
    plan = draw_plan(settings) if plan is None else plan
    with seeded(settings.bug) if settings.bug else nullcontext():
        return _simulate(settings, plan)


def _simulate(settings: SimulationSettings, plan: tuple[Mishap, ...]) -> Result:
    loop = VirtualLoop()
    place = str(MEMORY) if MEMORY.is_dir() else None
    logging.disable(logging.CRITICAL)
    gc.disable()
    began = time.process_time()
    try:
        with tempfile.TemporaryDirectory(prefix="standfast-simulation-", dir=place) as folder:
            simulation = loop.run_until_complete(_make(settings, plan, Path(folder)))
            loop.run_until_complete(simulation.run())
            took = time.process_time() - began
            simulated = loop.time()
            loop.run_until_complete(simulation.cluster.finish())
    finally:
        loop.close()
        gc.enable()
        logging.disable(logging.NOTSET)
    record = simulation.record
    return Result(
        settings=settings,
        problems=record.problems,
        broken=record.broken,
        digest=record.digest,
        counts={**record.counts, "refused by the log": simulation.server.refusals},
        faults=tuple(record.journal.hurt),
        exercised=claims_of(record.checker.invariants),
        last_steps=tuple(record.steps),
        simulated_seconds=simulated,
        took_seconds=took,
    )


async def _make(settings: SimulationSettings, plan: tuple[Mishap, ...], folder: Path) -> Simulation:
    simulation = Simulation(settings, plan, folder)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: simulation.record.strayed(context))
    return simulation


@dataclass(slots=True)
class Simulation:
    """One run while it runs."""

    settings: SimulationSettings
    plan: tuple[Mishap, ...]
    folder: Path
    clock: Clock = field(default_factory=Clock)
    record: Record = field(init=False)
    world: World = field(init=False)
    server: Server = field(init=False)
    cluster: Cluster = field(init=False)
    mishaps: Mishaps = field(init=False)
    memories: Memories = field(init=False)
    _failed: dict[str, tuple[datetime, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the world, the server and the parts; nothing runs yet."""
        seed = self.settings.seed
        chance = Random(f"{seed}/world")  # noqa: S311  (a seed must give the same again)
        self.world = World(chance, draw_services(chance, self.settings.services))
        self.record = Record(self.clock)
        self.server = Server(self.record.stored)
        receivers = {name: Receiver(name, self.record) for name in RECEIVERS}
        self.cluster = Cluster(
            seed, self.server, self.world, self.record, self.clock, receivers, self.folder
        )
        self.mishaps = Mishaps(self.cluster, self.world, self.record)
        self.memories = Memories(self.cluster, self.record)
        self.record.committed += [self.memories.committed, self.mishaps.committed]
        self.cluster.dying.append(self.memories.dies)

    async def run(self) -> None:
        """Let it all happen, and look at the end."""
        await self._begin()
        loop = asyncio.get_running_loop()
        until = loop.time() + self.settings.seconds
        self.mishaps.schedule(self.plan)
        self.world.changed.append(self._changed)
        while loop.time() < until and not await self._breaks_within(LOOK_SECONDS):
            if self.mishaps.is_calm:
                self.memories.look()
                self.record.quiet()
        if self.record.is_broken:
            return
        self.mishaps.heal_all()
        for share in HEAL_SHARES:
            self.world.mend_all()
            if await self._breaks_within(self.settings.heal_seconds * share):
                return
        await Ending(self.cluster, self.record).look()

    async def _breaks_within(self, seconds: float) -> bool:
        """Wait for a while, or until anything is not as it must be; gives whether that is so."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.record.broke.wait()
        return self.record.is_broken

    async def _begin(self) -> None:
        cluster = self.cluster
        supervisor = cluster.begin("supervisor")
        await supervisor.process.start(
            ensure_streams(cast("Any", supervisor.client), StreamLimits())
        )
        await supervisor.process.start(cluster.place(supervisor, whole_kinds()))
        for name in cluster.placed:
            cluster.start(name)
        person = cluster.begin("person")
        cluster.lives["supervisor"], cluster.lives["person"] = supervisor, person
        people = People(person, Random(f"{self.settings.seed}/people"), self.record)  # noqa: S311
        self.record.committed.append(people.read)
        await person.process.start(self._configure(person))
        cluster.start("executor")
        cluster.start("edge")

    async def _configure(self, person: Life) -> None:
        commands = RecordedCommands(person.client, "person:ann", self.record)
        services = self.world.services
        platform = PlatformSettings(
            receivers=RECEIVERS,
            escalation=Escalation(wait_seconds=300.0, repeats_max=2),
            settle_seconds=3.0,
            recovery_mode="approval" if self.settings.seed % 4 == 0 else "automatic",
            approval_seconds=900.0,
        )
        nodes = {
            name: Node(depends_on=one.needs, recovery=RECOVERY) for name, one in services.items()
        }
        wishes: list[tuple[str, Command]] = [
            ("platform/main", ConfigurePlatform(settings=platform, configuration_hash="c")),
            ("topology/main", DeclareTopology(services=nodes, configuration_hash="c")),
        ]
        wishes += [
            (
                f"service/{name}",
                ConfigureService(settings=settings_of(one.needs), configuration_hash="c"),
            )
            for name, one in services.items()
        ]
        for address, command in wishes:
            await commands.send(EntityAddress.parse(address), command)

    def _changed(self, service: str) -> None:
        """Note when a service truly fails and heals, by the machine's clock."""
        now, moment = self.record.now(), asyncio.get_running_loop().time()
        if not self.world.is_healthy(service):
            self._failed[service] = (now, moment)
            return
        began, failed = self._failed.pop(service)
        is_true = self.clock.offset_seconds == 0 and failed > self.mishaps.stepped + TRUE_SECONDS
        if is_true:  # a clock that stepped meanwhile, or shortly before, measures nothing
            self.record.out(service, began, now)
