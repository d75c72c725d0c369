"""`standfast doctor`: what is wrong, and which command helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from standfast.cli.terminal import (
    EXIT_FAILED,
    JsonOption,
    StateOption,
    plain,
    print_json,
    say,
    state_directory,
    state_text,
)
from standfast.cli.work import run
from standfast.doctor.examine import examine

if TYPE_CHECKING:
    from standfast.doctor.finding import Finding


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(state_dir: StateOption = None, json: JsonOption = False) -> None:  # noqa: FBT002
    """Look at everything that Standfast needs, and say which command helps where it is not well.

    Exit code: 0, or 1 when there is an error (warnings alone are none).

    Example: [bold]standfast doctor --json | jq '.findings[] | select(.state != "ok")'[/]
    """
    found = run(examine(state_directory(state_dir)))
    failed = any(one.state == "error" for one in found)
    if json:
        print_json({"ok": not failed, "findings": [one.model_dump() for one in found]})
    else:
        for one in found:
            _show(one)
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _show(finding: Finding) -> None:
    say(f"{state_text(finding.state, 7)}  [bold]{plain(finding.name)}[/]: {plain(finding.message)}")
    if finding.command:
        say(f"         [cyan]{plain(finding.command)}[/]")
