"""What all commands share: where state is, how to fail, and how to print."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from standfast.config.model import default_state_directory
from standfast.paths import StateDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping

EXIT_FAILED = 1
EXIT_USAGE = 2

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        envvar="STANDFAST_STATE_DIR",
        help="Where Standfast keeps its state.",
        show_default="$XDG_STATE_HOME/standfast",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def state_directory(given: Path | None) -> StateDirectory:
    """Give the state directory: the option, the variable, or the default."""
    return StateDirectory((given or default_state_directory()).expanduser().absolute())


def fail(message: str, code: int = EXIT_FAILED) -> NoReturn:
    """End with a message on standard error."""
    err.print(f"[bold red]standfast:[/] {_escape(message)}")
    raise typer.Exit(code)


def note(message: str) -> None:
    """Tell a person something on standard error, out of the way of data."""
    err.print(f"[dim]{_escape(message)}[/]")


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print JSON for programs."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + os.linesep)


def _escape(text: str) -> str:
    return text.replace("[", r"\[")
