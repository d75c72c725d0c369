"""The end of the drills: whatever a worker that was killed left firing is resolved."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from actors.alert import ResolveAlert
from actors.runtime.commands import CommandClient
from events.address import EntityAddress
from scenarios.faults.lines import read_lines
from scenarios.faults.worker import CommandLog

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client

NAME = "closing"


async def resolve_drills(client: Client, directory: Path) -> int:
    """Resolve every drill that nobody is known to have resolved; gives how many."""
    drills = _left_firing(directory)
    log = CommandLog(
        CommandClient(client, principal=f"person:{NAME}", source="/faults"), directory, NAME
    )
    wish = ResolveAlert(reason="the run is over")
    await asyncio.gather(*[log.send(EntityAddress.parse(drill), wish) for drill in drills])
    log.close()
    return len(drills)


def _left_firing(directory: Path) -> list[str]:
    fired: dict[str, None] = {}
    resolving: dict[str, str] = {}
    for path in sorted(directory.glob("commands-*.jsonl")):
        for line in read_lines(path):
            match line:
                case {"command": "FireAlert", "entity": drill}:
                    fired[drill] = None
                case {"command": "ResolveAlert", "entity": drill, "command_id": command_id}:
                    resolving[command_id] = drill
                case {"type": "ok", "command_id": command_id} if command_id in resolving:
                    fired.pop(resolving[command_id], None)
                case _:
                    pass
    return list(fired)
