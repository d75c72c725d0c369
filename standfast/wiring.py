"""Wiring: the parts of the executor and of the web process, put together from the situation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from effects.journal import Journal
from effects.notifiers.notify import Notify
from effects.recovery.actions import RestartProcess, StartProcess, StopProcess
from effects.recovery.command import RunCommand
from events.subjects import STOP_CHILDREN_SUBJECT
from standfast.children import ServiceChildren
from standfast.config.apply import EXECUTOR
from standfast.executor import Executor
from standfast.runtime import NotRunningError, Situation
from standfast.web.access import Scope, Token
from standfast.web.serving import Web, WebSettings

if TYPE_CHECKING:
    from collections.abc import Collection

    from nats.aio.msg import Msg

    from actors.runtime.commands import CommandClient
    from effects.contract import Effect
    from events.log import Log


async def run_executor(situation: Situation, log: Log, commands: CommandClient) -> None:
    """Keep the services' children and carry out errands until cancelled."""
    children = ServiceChildren(log, situation.directory.children)
    executor = Executor(
        EXECUTOR,
        log.client,
        commands,
        effects_of(situation, log, children),
        Journal(situation.directory.executor),
    )

    async def stop_children(message: Msg) -> None:
        await children.stop_children()
        await message.respond(b"stopped")

    await log.client.subscribe(STOP_CHILDREN_SUBJECT, cb=stop_children)
    await asyncio.gather(children.run(), executor.run())


def effects_of(situation: Situation, log: Log, children: ServiceChildren) -> dict[str, Effect[Any]]:
    """Give all that can be done here, by name."""
    parts = (children.processes, children.settings_of, children.watch)
    return {
        "notify": Notify(log, situation.configuration.receivers, situation.runtime.web_url),
        "process.start": StartProcess(*parts),
        "process.stop": StopProcess(*parts),
        "process.restart": RestartProcess(*parts),
        "command.run": RunCommand(children.settings_of),
    }


async def serve_web(situation: Situation, log: Log) -> None:
    """Serve page, API and metrics until cancelled."""
    await Web(log, web_settings(situation)).run()


def web_settings(situation: Situation) -> WebSettings:
    """Give what the web process must know."""
    web = situation.configuration.web

    def expected() -> Collection[str]:
        """Read the names of the services again: a reload changes them."""
        try:
            return tuple(Situation.read(situation.directory).configuration.services)
        except NotRunningError:
            return tuple(situation.configuration.services)

    return WebSettings(
        projections_url=situation.projections_url,
        host=web.address,
        port=web.port,
        tokens=tuple(Token(one.name, Scope[one.scope.upper()], one.sha256) for one in web.tokens),
        platform=situation.runtime.platform,
        build=situation.runtime.build,
        expected_services=expected,
    )
