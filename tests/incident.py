"""One outage of a database as real hosts live through it, from the first verdict to the proof."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from actors.intents import ReportEffect
from actors.platform import ConfigurePlatform
from actors.runtime.handing import decode_errand
from actors.runtime.store import Store
from actors.service import ConfigureService, ReportHealth
from actors.topology import DeclareTopology
from events.address import EntityAddress
from events.base import Evidence, Excerpt
from events.placement import BucketRange
from events.platform import PlatformSettings
from events.service import RecoveryAction, ServiceSettings, TcpCheck
from events.subjects import TELEMETRY_STREAM, executor_subject
from events.topology import Node

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nats.aio.msg import Msg

    from actors.base import Command
    from actors.runtime.commands import CommandClient
    from events.effect import Mode
    from events.log import Log
    from tests.fixtures.stand import Stand

DATABASE, APP = "demo-database", "demo-app"
WAIT_SECONDS = 20.0


class Outage:
    """Commands that a configuration, an evaluator and an executor would give."""

    def __init__(self, log: Log, commands: CommandClient) -> None:
        self.log = log
        self.commands = commands
        self._tasks: set[asyncio.Task[None]] = set()

    async def give(self, address: str, command: Command) -> None:
        """Give a command that must be accepted."""
        answer = await self.commands.send(EntityAddress.parse(address), command)
        assert answer.accepted, answer

    async def configure(self, mode: Mode = "automatic") -> None:
        """Watch an application and the database that it needs."""
        settings = PlatformSettings(receivers=("on-call",), recovery_mode=mode, settle_seconds=0.1)
        await self.give(
            "platform/demo", ConfigurePlatform(settings=settings, configuration_hash="hash")
        )
        nodes = {
            DATABASE: Node(recovery=RecoveryAction()),
            APP: Node(depends_on=(DATABASE,), recovery=RecoveryAction()),
        }
        await self.give("topology/demo", DeclareTopology(services=nodes, configuration_hash="hash"))
        for name in nodes:
            service = ServiceSettings(checks=(TcpCheck(name="tcp", port=1),))
            await self.give(
                f"service/{name}", ConfigureService(settings=service, configuration_hash="hash")
            )

    async def report(self, name: str, verdict: str) -> None:
        """Report a verdict on a service, as an evaluator does."""
        now = datetime.now(UTC)
        excerpt = Excerpt(
            time=now, check="tcp", succeeded=False, duration_seconds=0.1, reason="refused"
        )
        evidence = Evidence(
            stream=TELEMETRY_STREAM,
            log_id=self.log.identity.log_id,
            generation=self.log.identity.generation,
            first=1,
            last=2,
            excerpt=(excerpt,) if verdict == "down" else (),
        )
        command = ReportHealth.model_validate(
            {
                "verdict": verdict,
                "since": now,
                "check": "tcp",
                "reason": "refused",
                "evidence": evidence,
            }
        )
        await self.give(f"service/{name}", command)

    async def execute(self) -> None:
        """Carry out whatever is intended, at once and with success."""
        await self.log.client.subscribe(executor_subject("executor"), cb=self._take)

    async def _take(self, message: Msg) -> None:
        errand = decode_errand(message.data)
        await message.respond(b"taken")
        report = ReportEffect(number=errand.intent.number, outcome="succeeded", detail="done")
        sending = self.commands.send(
            errand.entity,
            report,
            causation_id=errand.cause_id,
            correlation_id=errand.correlation_id,
        )
        task = asyncio.create_task(_ignoring_answer(sending))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reaches(self, kind: str, reached: Callable[[Any], bool]) -> None:
        """Wait until there is an entity of a kind, and all of them are as wanted."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                entities = await Store(self.log).load([BucketRange(kind=kind)])
                states = [entity.state for entity in entities.values()]
                if states and all(map(reached, states)):
                    return
                await asyncio.sleep(0.02)


async def _ignoring_answer(sending: Any) -> None:
    with suppress(asyncio.CancelledError):
        await sending


def _is(*names: str) -> Callable[[Any], bool]:
    return lambda state: type(state).__name__ in names


async def live_through_an_outage(stand: Stand, log: Log) -> None:
    """Host everything, let the database fail and the application with it, and mend both."""
    await stand.serve(log)
    story = Outage(log, stand.commands())
    await story.execute()
    await story.configure()
    for name in (DATABASE, APP):
        await story.report(name, "healthy")
    await story.report(APP, "down")
    await story.report(DATABASE, "down")
    await story.reaches("recovery", _is("Verifying"))
    await story.report(DATABASE, "healthy")
    await story.report(APP, "healthy")
    await story.reaches("incident", _is("Resolved"))
    await story.reaches("alert", lambda s: _is("Resolved")(s) and not s.telling.intents.open)
    await story.reaches("recovery", _is("Ended"))
