"""`standfast projections`: where each read model is, and how to make one anew."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import msgpack
import typer
from nats.errors import NoRespondersError
from sqlalchemy import func, select

from projections.catalogue import PROJECTIONS
from projections.reading import ProjectionState, faults, projection_states
from projections.runner import Runner
from standfast.cli.arguments import nearest
from standfast.cli.terminal import (
    EXIT_USAGE,
    JsonOption,
    StateOption,
    fail,
    plain,
    print_json,
    progress,
    say,
    styled,
)
from standfast.cli.work import readings, run, session
from standfast.roles.projector import ALL, REBUILD_SUBJECT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from nats.aio.client import Client
    from sqlalchemy import Connection

    from standfast.session import Session

NAMES = tuple(projection.name for projection in PROJECTIONS)
SILENCE_SECONDS = 30.0
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help=f"One of {', '.join(NAMES)}, or {ALL}.")
]
projections = typer.Typer(
    no_args_is_help=True,
    help=(
        "Read models of the log: list them, or build one anew from the log.\n\n"
        "They can always be thrown away: the log has everything."
    ),
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(projections, name="projections")


@projections.command("list")
def show_all(json: JsonOption = False, state_dir: StateOption = None) -> None:  # noqa: FBT002
    """List projections: position, how far behind the log, rows, and events they left out.

    Example: [bold]standfast projections list --json | jq '.projections[].lag'[/]
    """
    found = run(_list(state_dir))
    if json:
        print_json(found)
        return
    for one in found["projections"]:
        errors = styled(f"{one['errors']} left out", "red" if one["errors"] else "dim")
        lag = styled(f"{one['lag']} behind", "yellow" if one["lag"] else "dim")
        rows = f"{one['rows']} rows"
        say(f"{one['name']:<10} at {one['sequence']:>8}  {lag:<24} {rows:>12}  {errors}")
    for fault in found["errors"]:
        where = f"{fault['projection']} left out {fault['sequence']} of {fault['entity']}"
        say(f"  [red]{plain(where)}[/]: {plain(fault['error'])}")


async def _list(given: Path | None) -> dict[str, Any]:
    async with session(given) as opened, readings(opened) as reading:
        head = await opened.log.head_sequence()
        with reading.moment() as connection:
            states = [_state(connection, one, head) for one in projection_states(connection)]
            return {"head": head, "projections": states, "errors": faults(connection)}


def _state(connection: Connection, state: ProjectionState, head: int) -> dict[str, Any]:
    known = {projection.name: projection for projection in PROJECTIONS}
    tables = known[state.name].tables if state.name in known else ()
    counts = [connection.execute(select(func.count()).select_from(table)) for table in tables]
    return {
        "name": state.name,
        "version": state.version,
        "log_id": state.log_id,
        "generation": state.generation,
        "sequence": state.sequence,
        "lag": max(0, head - state.sequence),
        "rows": sum(int(count.scalar_one()) for count in counts),
        "errors": state.errors,
    }


@projections.command()
def rebuild(
    name: NameArgument,
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Build a projection anew beside the live one, then swap: readers never see it half done.

    The running projector does it; where none runs, this command does.

    Example: [bold]standfast projections rebuild journal[/]
    """
    if name not in (*NAMES, ALL):
        fail(f"there is no projection {name!r}{nearest(name, (*NAMES, ALL))}", EXIT_USAGE)
    sequence = run(_rebuild(name, state_dir))
    if json:
        print_json({"name": name, "sequence": sequence})
    else:
        say(f"[green]{plain(name)} is built anew[/], up to sequence {sequence}")


async def _rebuild(name: str, given: Path | None) -> int:
    async with session(given) as opened:
        with progress(f"building {name} anew") as told:
            try:
                return await _ask_projector(opened.client, name, told)
            except NoRespondersError:
                return await _rebuild_here(opened, name, told)


async def _ask_projector(client: Client, name: str, told: Callable[[float, float], None]) -> int:
    """Ask the running projector, and show its progress. Raises `NoRespondersError`."""
    async with aclosing(_answers(client, name)) as answers:
        async for answer in answers:
            if "error" in answer:
                fail(answer["error"])
            if answer.get("done"):
                return int(answer["sequence"])
            told(answer["sequence"], answer["until"])
    raise AssertionError("answers end with an end or an error")


async def _answers(client: Client, name: str) -> AsyncGenerator[dict[str, Any], None]:
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    try:
        request = bytes(msgpack.packb({"name": name}))
        await client.publish(REBUILD_SUBJECT, request, reply=inbox)
        while True:
            message = await subscription.next_msg(SILENCE_SECONDS)
            if (message.headers or {}).get("Status") == "503":
                raise NoRespondersError
            yield msgpack.unpackb(message.data)
    finally:
        await subscription.unsubscribe()


async def _rebuild_here(opened: Session, name: str, told: Callable[[float, float], None]) -> int:
    runner = Runner(opened.log, opened.situation.projections_url)

    async def tell(done: int, total: int) -> None:
        told(done, total)
        await asyncio.sleep(0)

    try:
        await runner.open()
        await runner.catch_up()
        position = await runner.rebuild(NAMES if name == ALL else (name,), tell)
    finally:
        await runner.close()
    return position.sequence
