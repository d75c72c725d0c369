"""`standfast actors`: every entity, where it lives and as which process, asked of the hosts."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

import typer

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
from standfast.hosts_asked import ask_all
from standfast.running import supervisor_pid

if TYPE_CHECKING:
    from pathlib import Path

    from actors.runtime.description import Described
    from standfast.hosts_asked import Hosted


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
        pid = supervisor_pid(opened.situation.directory)
        return await ask_all(opened.log, pid)


def _show(found: Hosted) -> None:
    if not found.hosts:
        say("there are no hosts: nothing was ever placed")
    by_host = groupby(sorted(found.entities, key=_host_of), key=_host_of)
    entities = {host: list(some) for host, some in by_host}
    for host in found.hosts:
        _show_host(host, entities.pop(host.name, []))
    for name, rest in entities.items():
        say(f"[bold]{plain(name)}[/]")
        _show_entities(rest)
    kinds = Counter(entity["kind"] for entity in found.entities)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    if counted:
        say(f"[dim]{counted}[/]")


def _host_of(entity: dict[str, Any]) -> str:
    return str(entity["host"])


def _show_host(host: Described, entities: list[dict[str, Any]]) -> None:
    if not host.answered:
        say(f"[bold]{plain(host.name)}[/]  {state_text('silent')}")
        return
    ready = "ready" if host.ready else "[yellow]reads its buckets[/]"
    node = f" on {plain(host.node)}" if host.node else ""
    what = f"pid {host.pid}{node}, {plain(host.build)}, {ready}, {host.entity_count} hosted"
    say(f"[bold]{plain(host.name)}[/]  {what}")
    _show_entities(entities)


def _show_entities(entities: list[dict[str, Any]]) -> None:
    for entity in entities:
        address = f"{entity['kind']}/{entity['id']}".ljust(44)
        state = state_text(entity["state"], 12)
        trouble = f" {plain(entity['parked'])}" if entity.get("parked") else ""
        say(f"  {plain(address)} {state} [dim]at {entity['sequence']}[/]{trouble}")
