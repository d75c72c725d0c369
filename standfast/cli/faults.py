"""`standfast faults`: hurt Standfast's own parts on a stand of its own, and hold it to account."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenarios.faults.parts import Part, run_parts
from scenarios.faults.run import RunSettings
from scenarios.faults.stand import StandFailedError
from standfast.cli.arguments import finite
from standfast.cli.terminal import (
    EXIT_FAILED,
    EXIT_USAGE,
    JsonOption,
    fail,
    note,
    plain,
    print_json,
    say,
)
from standfast.cli.work import run

if TYPE_CHECKING:
    from collections.abc import Callable

FAULTS_MAX, SECONDS_MAX, RATE_MAX, PARTS_MAX = 10_000, 7_200, 1_000, 100
SEED_MAX = 2**31

SeedOption = Annotated[
    int | None, typer.Option("--seed", min=0, max=SEED_MAX, help="Which faults; else drawn.")
]
FaultsOption = Annotated[int, typer.Option("--faults", min=1, max=FAULTS_MAX, help="How many.")]
SecondsOption = Annotated[
    float,
    typer.Option("--seconds", min=1, max=SECONDS_MAX, callback=finite, help="In how many seconds."),
]
RateOption = Annotated[
    float,
    typer.Option(
        "--rate", min=1, max=RATE_MAX, callback=finite, help="How many commands a second."
    ),
]
PartsOption = Annotated[
    int,
    typer.Option(
        "--parts", min=1, max=PARTS_MAX, help="How many such runs, each with the next seed."
    ),
]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="Gets a folder for each seed.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(faults)


def faults(
    seed: SeedOption = None,
    faults: FaultsOption = 60,
    seconds: SecondsOption = 216.0,
    rate: RateOption = 200.0,
    parts: PartsOption = 1,
    output: OutputOption = Path("build/faults"),
    json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Run Standfast on a stand of its own, hurt it by chance, and check what it did.

    Its processes are killed and frozen, given doubles, cut off from the log; acknowledgements are
    lost, and services die meanwhile. Each fault is told with the commands in flight; one without
    effect does not count. Afterwards the five invariants must hold, each claim exercised. Nothing
    but what the run itself started is touched. Parts that this build ran already are only read.
    Exit code: 0, or 1 when something is broken, or 2 when the stand can't be made.

    Example: [bold]standfast faults --faults 60 --seconds 216 --parts 17 -o build/faults[/]
    """
    first = secrets.randbelow(SEED_MAX) if seed is None else seed
    settings = RunSettings(first, faults, seconds, rate)
    told: Callable[[str], None] = note if json else _say
    try:
        done = run(_run(settings, parts, output, told))
    except StandFailedError as error:
        fail(str(error), EXIT_USAGE)
    if json:
        print_json({"parts": [part.content for part in done]})
    if not all(part.is_clean for part in done):
        raise typer.Exit(EXIT_FAILED)


async def _run(
    settings: RunSettings, parts: int, output: Path, told: Callable[[str], None]
) -> list[Part]:
    told(f"seed {settings.seed}, {parts} x {settings.faults} faults")
    done: list[Part] = []
    async for part in run_parts(settings, parts, output, lambda one: told(one.as_text())):
        done.append(part)
        for line in part.lines:
            told(line)
        verdict = "clean" if part.is_clean else "NOT clean"
        told(f"{part.directory}: {verdict}{'' if part.is_new else ' (as it was)'}")
    return done


def _say(line: str) -> None:
    say(plain(line))
