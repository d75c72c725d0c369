"""`standfast why`: what led to something and what followed, by the causes that events name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from projections.reading import SqlJournal
from standfast.cli.arguments import known_address
from standfast.cli.terminal import (
    TONE_STYLES,
    JsonOption,
    StateOption,
    fail,
    plain,
    print_json,
    say,
    styled,
)
from standfast.cli.work import readings, run, session
from standfast.why import NothingKnownError, why

if TYPE_CHECKING:
    from pathlib import Path

    from standfast.why import Chain, Link

INDENT_MAX = 12
WantedArgument = Annotated[
    str,
    typer.Argument(metavar="KIND/ID|EVENT", help="An entity, or an event by its id."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("why")(explain)


def explain(
    wanted: WantedArgument,
    json: JsonOption = False,  # noqa: FBT002
    state_dir: StateOption = None,
) -> None:
    """Print the causal chain around an entity's latest episode or an event, both ways.

    It follows the causes that events name, never clocks. Exit code 1 where nothing is known.

    Example: [bold]standfast why service/demo-app[/]
    """
    if "/" in wanted:
        known_address(wanted)
    chain = run(_why(wanted, state_dir))
    if json:
        print_json(chain.as_json())
    else:
        _show(chain)


async def _why(wanted: str, given: Path | None) -> Chain:
    async with session(given) as opened, readings(opened) as reading:
        with reading.moment() as connection:
            try:
                return why(SqlJournal(connection), wanted)
            except NothingKnownError as error:
                fail(str(error))


def _show(chain: Chain) -> None:
    say(f"[bold]why {plain(chain.about)}[/]")
    for link in chain.links:
        say(_line(link))
    if chain.truncated:
        say("[yellow]there is more; the chain was cut where it grew too long[/]")


def _line(link: Link) -> str:
    """Give one link: when, who (further in the further from the first cause), and what."""
    time = link.time.replace("T", " ")[:23]
    indent = "  " * min(link.depth, INDENT_MAX)
    text = styled(link.text, TONE_STYLES[link.tone])
    return f"[dim]{plain(time)}Z {link.sequence:>6}[/] {indent}[bold]{plain(link.entity)}[/] {text}"
