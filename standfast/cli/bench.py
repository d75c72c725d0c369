"""`standfast bench`: how fast it is here and now, beside peers in the same run."""

from __future__ import annotations

import json as json_library
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from standfast.bench.areas import AREAS
from standfast.bench.ground import GroundError
from standfast.bench.where import where_measured
from standfast.cli.arguments import nearest
from standfast.cli.terminal import (
    EXIT_USAGE,
    JsonOption,
    fail,
    plain,
    print_json,
    progress,
    say,
    styled,
)
from standfast.cli.work import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from standfast.bench.areas import Area
    from standfast.bench.figure import Figure

AreaArgument = Annotated[
    str, typer.Argument(metavar="AREA", help=f"One of {', '.join(AREAS)}; all where none is named.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", help="A folder that gets the figures as bench.json.")
]
FILE_NAME = "bench.json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(bench)


def bench(
    area: AreaArgument = "",
    json: JsonOption = False,  # noqa: FBT002
    output: OutputOption = None,
) -> None:
    """Measure, each figure beside a peer in the same run where there is one.

    It starts servers and hosts of its own and touches nothing that runs. An area takes a minute
    or two. Ratios say more than values: they bear a slow machine. It says of which build, when
    and where it was measured. Where a goal is missed the exit code is 1.

    Example: [bold]standfast bench core --json | jq '.figures[] | {name, value, ratio, met}'[/]
    """
    if area and area not in AREAS:
        fail(f"there is no area {area!r}{nearest(area, AREAS)}", EXIT_USAGE)
    chosen = [AREAS[area]] if area else list(AREAS.values())
    try:
        with progress("measuring") as told:
            figures = run(_measure(chosen, told))
    except GroundError as error:
        fail(str(error))
    missed = [figure.name for figure in figures if figure.met is False]
    content = {
        **where_measured(),
        "figures": [figure.as_json() for figure in figures],
        "missed": missed,
    }
    if output is not None:
        _write(output, content)
    if json:
        print_json(content)
    else:
        _show(figures)
        say(f"[dim]{plain(_where_text(content))}[/]")
    if missed:
        fail(f"missed: {', '.join(missed)}")


async def _measure(areas: list[Area], told: Callable[[float, float], None]) -> list[Figure]:
    measurements = [one for area in areas for one in area.measurements]
    figures: list[Figure] = []
    for number, measurement in enumerate(measurements):
        told(number, len(measurements))
        figures += await measurement.run()
    return figures


def _write(directory: Path, content: dict[str, Any]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    text = json_library.dumps(content, indent=2) + "\n"
    (directory / FILE_NAME).write_text(text, encoding="utf-8")


def _show(figures: list[Figure]) -> None:
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        style = {True: "green", False: "red", None: ""}[figure.met]
        goal = "" if figure.goal is None else figure.goal.text(figure.better)
        value = f"{number_text(figure.value):>9} {figure.unit:<10} {styled(goal, style, 14)}"
        say(f"{figure.name.ljust(width)} {value} [dim]{_beside(figure)}[/]")


def _where_text(content: dict[str, Any]) -> str:
    machine = f"{content['cores']} cores, {content['processor']}, {content['machine']}"
    return f"build {content['build']}, {content['date']}, {machine}"


def number_text(value: float) -> str:
    """Give a number with as many digits as a measurement deserves."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"  # noqa: PLR2004  (four digits)


def _beside(figure: Figure) -> str:
    """Give what stands beside a figure: its peer, and what is to be known of it."""
    parts = [figure.note] if figure.note else []
    if figure.peer is not None and figure.ratio is not None:
        peer = f"{figure.ratio:.2f} of {number_text(figure.peer.value)}, {figure.peer.name}"
        parts.insert(0, peer)
    return plain("; ".join(parts))
