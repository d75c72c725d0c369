"""`standfast check-run`: what a fault run left, held against the five invariants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenarios.checker.records import UnusableRunError
from scenarios.checker.run import check_run as check
from standfast.cli.terminal import EXIT_FAILED, EXIT_USAGE, JsonOption, fail, plain, print_json, say

DirectoryArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="The directory that a run wrote.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check-run")(check_run)


def check_run(directory: DirectoryArgument, json: JsonOption = False) -> None:  # noqa: FBT002
    """Hold a run against the five invariants, and say where one is broken.

    Nothing acknowledged is lost; each entity has one history; the world agrees with the log;
    causes close; nothing due is forgotten, and no outage is silent. It says how often each claim
    was exercised: one that had to be and never was is no proof, and counts as broken.
    Exit code: 0, or 1 when an invariant is broken, or 2 when the directory holds no whole run
    that can be read.

    Example: [bold]standfast check-run build/faults/seed-7 --json | jq .clean[/]
    """
    try:
        report = check(directory)
    except UnusableRunError as error:
        fail(str(error), EXIT_USAGE)
    if json:
        print_json(report.as_json())
    else:
        for line in report.lines():
            say(plain(line))
    if not report.is_clean:
        raise typer.Exit(EXIT_FAILED)
