"""`standfast actors`: every entity, where it lives and as which process, asked of the hosts."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from actors.runtime.description import Described, ask_host
from actors.runtime.host import PLACEMENT_ADDRESS
from actors.runtime.store import Store
from standfast.cli.terminal import (
    EXIT_FAILED,
    JsonOption,
    StateOption,
    plain,
    print_json,
    say,
    state_text,
)
from standfast.cli.work import run, session

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client

    from events.log import Log

SILENCE_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Hosted:
    """All hosts of the placement, as each answered."""

    hosts: list[Described]

    def as_json(self) -> dict[str, Any]:
        """Give hosts and entities for programs."""
        return {
            "hosts": [_host_json(host) for host in self.hosts],
            "entities": [
                {**entity, "host": host.name, "node": host.node, "pid": host.pid}
                for host in self.hosts
                for entity in host.entities
            ],
        }


def _host_json(host: Described) -> dict[str, Any]:
    return {
        "name": host.name,
        "pid": host.pid or None,
        "node": host.node,
        "build": host.build,
        "kinds": list(host.kinds),
        "epoch": host.epoch,
        "ready": host.ready,
        "answered": host.answered,
        "entities": host.entity_count,
    }


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(actors)


def actors(state_dir: StateOption = None, json: JsonOption = False) -> None:  # noqa: FBT002
    """List every entity with the host it lives in, that host's node and its process.

    Each host is one Ray actor; one that does not answer within 3 s is listed as silent.
    Exit code: 0, or 1 when no host answers at all.

    Example: [bold]standfast actors --json | jq '.hosts[] | {name, pid}'[/]
    """
    found = run(_actors(state_dir))
    if json:
        print_json(found.as_json())
    else:
        _show(found)
    if not any(host.answered for host in found.hosts):
        raise typer.Exit(EXIT_FAILED)


async def _actors(given: Path | None) -> Hosted:
    async with session(given) as opened:
        names = await host_names(opened.log)
        return await ask_hosts(opened.client, names)


async def host_names(log: Log) -> list[str]:
    """Give the names of the hosts that the placement in the log gives buckets or entities to."""
    placement = (await Store(log).load_entity(PLACEMENT_ADDRESS)).state
    return sorted({*placement.hosts, *placement.isolated.values()})


async def ask_hosts(client: Client, names: list[str], *, entities: bool = True) -> Hosted:
    """Ask hosts for their entities, all at once; those that take too long are silent."""
    return Hosted(list(await asyncio.gather(*[_ask(client, name, entities) for name in names])))


async def _ask(client: Client, name: str, entities: bool) -> Described:  # noqa: FBT001
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await ask_host(client, name, entities=entities)
    except TimeoutError:
        return Described(name, answered=False)


def _show(found: Hosted) -> None:
    if not found.hosts:
        say("there are no hosts: nothing was ever placed")
    for host in found.hosts:
        if not host.answered:
            say(f"[bold]{plain(host.name)}[/]  {state_text('silent')}")
            continue
        ready = "ready" if host.ready else "[yellow]reads its buckets[/]"
        node = f" on {plain(host.node)}" if host.node else ""
        counted = f"{host.entity_count} entities"
        say(f"[bold]{plain(host.name)}[/]  pid {host.pid}{node}, {ready}, {counted}")
        for entity in host.entities:
            address = f"{entity['kind']}/{entity['id']}".ljust(44)
            state = state_text(entity["state"], 12)
            trouble = f" {plain(entity['parked'])}" if entity.get("parked") else ""
            say(f"  {plain(address)} {state} [dim]at {entity['sequence']}[/]{trouble}")
    kinds = Counter(entity["kind"] for host in found.hosts for entity in host.entities)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    if counted:
        say(f"[dim]{counted}[/]")
