"""Real hosts in the test's process, each with its own connection; commands to them; their log."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from actors.deciders import KINDS, decider_for
from actors.intents import ReportEffect
from actors.placement import PlaceBuckets
from actors.platform import ConfigurePlatform
from actors.runtime.commands import CommandClient
from actors.runtime.handing import Errand, decode_errand
from actors.runtime.host import PLACEMENT_ADDRESS, Host, HostSettings
from actors.runtime.solo import SoloWriter
from actors.service import ConfigureService, ReportHealth, RequestProbe
from actors.topology import DeclareTopology
from events.address import EntityAddress
from events.alert import Escalation
from events.base import Evidence
from events.commit import Author
from events.entity import CommandDeclined, EntityParked, EntityReleased
from events.ids import new_id
from events.log import Log
from events.placement import BucketRange
from events.platform import PlatformSettings
from events.server import connect
from events.service import ServiceSettings, TcpCheck
from events.subjects import executor_subject, state_subject
from events.surroundings import now
from events.topology import Node
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from actors.base import Command
    from actors.runtime.commands import Answer
    from events.base import Envelope, Event
    from events.server import ServerAddress

E = TypeVar("E", bound="Event")
AUTHOR = Author("test", "cell", "build")
PLACED = tuple(kind for kind in KINDS if kind not in {"placement", "host", "storage"})
SERVICES = ("service", "platform", "topology")
EVIDENCE = Evidence(stream="S", log_id="L", generation=1, first=1, last=2)
SETTINGS = ServiceSettings(checks=(TcpCheck(name="port", port=1),))
RAMP = Escalation(wait_seconds=60.0, repeats_max=1)


@dataclass(slots=True)
class Clock:
    """A wall clock that a test may set forward and back."""

    offset: timedelta = timedelta()

    def __call__(self) -> datetime:
        return now() + self.offset

    def step(self, seconds: float) -> None:
        """Let the wall clock jump."""
        self.offset += timedelta(seconds=seconds)


@dataclass(slots=True)
class Executor:
    """Stands in for who carries out effects: it keeps what it was handed, and reports an end."""

    client: Client
    commands: CommandClient
    outcome: str = "succeeded"
    answers: bool = True
    errands: list[Errand] = field(default_factory=list)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def start(self, name: str = "executor") -> None:
        """Take errands."""
        await self.client.subscribe(executor_subject(name), cb=self._take)

    async def _take(self, message: Msg) -> None:
        if not self.answers:
            return
        errand = decode_errand(message.data)
        self.errands.append(errand)
        await message.respond(b"")
        if self.outcome:
            self._tasks.add(asyncio.create_task(self.report(errand)))

    async def report(self, errand: Errand, outcome: str = "") -> Answer:
        """Say how an errand ended."""
        command = ReportEffect.model_validate(
            {"number": errand.intent.number, "outcome": outcome or self.outcome}
        )
        return await self.commands.send(errand.entity, command, causation_id=errand.cause_id)

    def told(self, receiver: str = "ops") -> list[str]:
        """Give what a receiver was told, each notice once."""
        said = {
            (errand.entity.id, str(errand.intent.arguments["key"])): errand.intent.arguments
            for errand in self.errands
            if errand.intent.effect == "notify" and errand.intent.arguments["receiver"] == receiver
        }
        return [f"{entity} {arguments['status']}" for (entity, _), arguments in said.items()]


@dataclass(slots=True)
class Hosting:
    """Hosts over one log. Each host has its own connection, as it would in its own process."""

    address: ServerAddress
    log: Log
    clock: Clock = field(default_factory=Clock)
    running: dict[int, tuple[asyncio.Task[None], Client]] = field(default_factory=dict)

    @property
    def commands(self) -> CommandClient:
        """Give what sends commands for a person."""
        return CommandClient(self.log.client, principal="person:test", source="/test")

    async def executor(self, **settings: Any) -> Executor:
        """Start a stand-in for the executor."""
        executor = Executor(self.log.client, self.commands, **settings)
        await executor.start()
        return executor

    async def place(self, **hosts: tuple[str, ...] | tuple[BucketRange, ...]) -> None:
        """Place kinds, or ranges of buckets, on hosts (`a_b` is host a-b)."""
        writer = await SoloWriter.open(self.log, AUTHOR, "test", PLACEMENT_ADDRESS)
        ranges = {
            name.replace("_", "-"): tuple(
                BucketRange(kind=one) if isinstance(one, str) else one for one in owned
            )
            for name, owned in hosts.items()
        }
        answer = await writer.give(PlaceBuckets(hosts=ranges))
        assert answer.accepted, answer

    async def start(self, name: str = "h1", **settings: Any) -> Host:
        """Start a host and wait until it is ready."""
        client = await connect(self.address, name)
        host = Host(await Log.open(client), HostSettings(name, AUTHOR, **settings), self.clock)
        self.running[id(host)] = (asyncio.create_task(host.run()), client)
        await until(lambda: host.is_ready)
        return host

    async def kill(self, host: Host) -> None:
        """End a host at once: its connection first, so that nothing more is written or said."""
        task, client = self.running.pop(id(host))
        await client.close()
        task.cancel()
        await asyncio.wait([task])

    def task(self, host: Host) -> asyncio.Task[None]:
        """Give the task in which a host runs."""
        return self.running[id(host)][0]

    async def stop(self) -> None:
        """End all hosts."""
        for task, client in list(self.running.values()):
            task.cancel()
            await asyncio.wait([task])
            await client.close()
        self.running.clear()

    async def send(self, address: str, command: Command, **options: Any) -> Answer:
        """Send a command and give its answer."""
        return await self.commands.send(EntityAddress.parse(address), command, **options)

    async def configure(self, name: str) -> Answer:
        """Watch a service."""
        return await self.send(
            f"service/{name}", ConfigureService(settings=SETTINGS, configuration_hash="hash")
        )

    async def probe_many(self, services: int, count: int) -> dict[str, Answer]:
        """Ask `s0` and its like for probes all at once; gives the answers by each reason."""
        reasons = [f"probe-{number}" for number in range(count)]
        sent = [
            self.send(
                f"service/s{number % services}",
                RequestProbe(reason=reason),
                command_id=new_id(),
                patience_seconds=60.0,
            )
            for number, reason in enumerate(reasons)
        ]
        return dict(zip(reasons, await asyncio.gather(*sent), strict=True))

    async def report(self, name: str, verdict: str) -> Answer:
        """Report a service's health."""
        since = self.clock()
        report = {"verdict": verdict, "since": since, "check": "port", "reason": "refused"}
        command = ReportHealth.model_validate({**report, "evidence": EVIDENCE})
        return await self.send(f"service/{name}", command)

    async def platform(self, services: dict[str, tuple[str, ...]], **settings: Any) -> None:
        """Configure a platform of services that need each other, and watch them."""
        given = PlatformSettings(receivers=("ops",), **{"settle_seconds": 0.2, **settings})
        nodes = {name: Node(depends_on=needs) for name, needs in services.items()}
        platform = ConfigurePlatform(settings=given, configuration_hash="hash")
        topology = DeclareTopology(services=nodes, configuration_hash="hash")
        assert (await self.send("platform/main", platform)).accepted
        assert (await self.send("topology/main", topology)).accepted
        for name in services:
            assert (await self.configure(name)).accepted

    async def envelopes(self, subjects: str = "sf.>") -> list[Envelope]:
        """Read all events that can be read, in order."""
        found: list[Envelope] = []
        async for batch in self.log.read([subjects]):
            for message in batch:
                with contextlib.suppress(ValueError):  # what a test made unreadable
                    found.extend(self.log.stored(message).envelopes())
        return found

    async def events(self, kind: type[E], address: str = "") -> list[E]:
        """Read all events of a type, of one entity or of all."""
        subject = state_subject(EntityAddress.parse(address)) if address else "sf.>"
        found = [envelope.event for envelope in await self.envelopes(subject)]
        return [event for event in found if isinstance(event, kind)]

    async def until_event(
        self,
        kind: type[E],
        address: str = "",
        *,
        count: int = 1,
        matching: Callable[[E], bool] = lambda _event: True,
        timeout_seconds: float = 15.0,
    ) -> list[E]:
        """Wait until the log holds so many events of a type, and give them."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds  # a cancellation may get lost in a request
        while True:
            found = [event for event in await self.events(kind, address) if matching(event)]
            if len(found) >= count:
                return found
            if loop.time() > deadline:
                message = f"{len(found)} of {count} {kind.__name__} after {timeout_seconds:g} s"
                raise TimeoutError(message)
            await asyncio.sleep(0.02)

    async def quiet(self, seconds: float = 0.5) -> int:
        """Wait until the log has not grown for a while, and give its last sequence."""
        head, since = -1, 0.0
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 30
        while (now := await self.log.head_sequence()) != head or loop.time() - since < seconds:
            if now != head:
                head, since = now, loop.time()
            assert loop.time() < deadline, "the log does not come to rest"
            await asyncio.sleep(0.02)
        return head

    async def check_chains(self) -> None:
        """Each commit's predecessor must be the one before it, by sequence and by digest."""
        heads: dict[EntityAddress, Any] = {}
        async for batch in self.log.read(["sf.>"]):
            for message in batch:
                stored = self.log.stored(message)
                known = heads.get(stored.commit.entity)
                previous = stored.commit.previous
                assert previous.sequence == (known.sequence if known else 0)
                assert previous.digest == (known.digest if known else b"")
                heads[stored.commit.entity] = stored.head

    async def folded(self) -> dict[EntityAddress, Any]:
        """Fold the decoded log, without anything of the runtime."""
        states: dict[EntityAddress, Any] = {}
        for envelope in await self.envelopes():
            decider = decider_for(envelope.entity)
            state = states.setdefault(envelope.entity, decider.initial)
            if not isinstance(envelope.event, CommandDeclined | EntityParked | EntityReleased):
                states[envelope.entity] = decider.evolve(state, envelope.event)
        return states


def states_of(host: Host) -> dict[EntityAddress, Any]:
    """Give all that a host has in memory of its entities and that must survive it."""
    return {
        address: (one.state, one.head, one.marks, list(one.recent), one.intents, one.parked)
        for address, one in host.mailroom.entities.items()
        if one.head.sequence
    }
