"""Wiring: the parts of the executor and of the web process, put together from the situation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.build import build_id
from standfast.config.apply import EXECUTOR
from standfast.freshness import FreshnessReader
from standfast.roles.executor import ExecutorProcess, ExecutorSettings
from standfast.runtime import NotRunningError, Situation
from standfast.web.access import Scope, Token
from standfast.web.serving import Web, WebSettings, utc_now

if TYPE_CHECKING:
    from collections.abc import Collection

    from actors.runtime.commands import CommandClient
    from events.log import Log


async def run_executor(situation: Situation, log: Log, commands: CommandClient) -> None:
    """Keep the services' children and carry out errands until cancelled."""
    settings = ExecutorSettings(
        journal=situation.directory.executor,
        children=situation.directory.children,
        receivers=situation.configuration.receivers,
        external_url=situation.runtime.web_url,
        name=EXECUTOR,
    )
    await ExecutorProcess(log, commands, settings).run()


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

    reader = FreshnessReader(situation.directory)
    return WebSettings(
        projections_url=situation.projections_url,
        host=web.address,
        port=web.port,
        tokens=tuple(Token(one.name, Scope[one.scope.upper()], one.sha256) for one in web.tokens),
        platform=situation.runtime.platform,
        build=build_id(),
        expected_services=expected,
        freshness=lambda: reader.read(utc_now()),
    )
