"""What all commands share: where state is, how to fail, and how to print."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from standfast.config.model import default_state_directory
from standfast.paths import StateDirectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

EXIT_FAILED = 1
EXIT_USAGE = 2


class _Terminal(Console):
    def on_broken_pipe(self) -> None:
        """Whoever reads has read enough: that is no failure."""
        end_quietly()


def end_quietly() -> NoReturn:
    """End where nobody reads any more, as `| head` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0)


out = _Terminal(highlight=False, soft_wrap=True)
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

TONE_STYLES = {"bad": "red", "good": "green", "told": "yellow", "work": "cyan", "plain": ""}
STATE_STYLES = {
    "down": "bold red",
    "firing": "bold red",
    "open": "bold red",
    "parked": "bold red",
    "silent": "red",
    "error": "bold red",
    "no data": "yellow",
    "unknown": "yellow",
    "warning": "yellow",
    "acknowledged": "yellow",
    "healthy": "green",
    "resolved": "green",
    "running": "green",
    "ok": "green",
}


def state_directory(given: Path | None) -> StateDirectory:
    """Give the state directory: the option, the variable, or the default."""
    return StateDirectory((given or default_state_directory()).expanduser().absolute())


def fail(message: str, code: int = EXIT_FAILED) -> NoReturn:
    """End with a message on standard error."""
    err.print(f"[bold red]standfast:[/] {plain(message)}")
    raise typer.Exit(code)


def note(message: str) -> None:
    """Tell a person something on standard error, out of the way of data."""
    err.print(f"[dim]{plain(message)}[/]")


def say(markup: str) -> None:
    """Print a line for people; what came from elsewhere in it must be made `plain`."""
    out.print(markup)


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print JSON for programs."""
    _write(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def print_json_line(value: Mapping[str, Any]) -> None:
    """Print one line of JSON, so that a program which follows has it at once."""
    _write(json.dumps(value, default=str, ensure_ascii=False))


def _write(text: str) -> None:
    try:
        sys.stdout.write(text + os.linesep)
        sys.stdout.flush()
    except BrokenPipeError:
        end_quietly()


def plain(text: object) -> str:
    """Give a text as it is to be read: one line, no control characters, nothing of markup."""
    return escape("".join(one if one.isprintable() else " " for one in str(text)))


def styled(text: object, style: str, width: int = 0) -> str:
    """Give a text in a style (colours show only on a terminal), padded to a width."""
    padded = plain(str(text).ljust(width))
    return f"[{style}]{padded}[/]" if style else padded


def state_text(state: str, width: int = 0) -> str:
    """Give the name of a state in its colour."""
    return styled(state, STATE_STYLES.get(state, ""), width)


@contextmanager
def progress(what: str) -> Iterator[Callable[[float, float], None]]:
    """Show how far long work is, on standard error and only on a terminal.

    What is given is called with how much is done, and how much there is in all.
    """
    with phases() as told:
        yield lambda done, total: told(what, done, total)


@contextmanager
def phases() -> Iterator[Callable[[str, float, float], None]]:
    """Show how far work of several phases is, as `progress` does; each is named when it is told."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    with bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(
            task, description=plain(what), completed=done, total=max(total, 1)
        )
