"""`standfast check-config`: all mistakes of a file at once, each with its line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from standfast.cli.terminal import (
    EXIT_FAILED,
    EXIT_USAGE,
    JsonOption,
    err,
    fail,
    plain,
    print_json,
    say,
)
from standfast.config.load import InvalidConfigurationError, load_file

if TYPE_CHECKING:
    from standfast.config.load import Loaded

ConfigurationFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The configuration to check, as standfast.yaml.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check-config")(check_config)


def check_config(file: ConfigurationFile, json: JsonOption = False) -> None:  # noqa: FBT002
    """Check a configuration without starting anything.

    Every mistake is named with its line, and with the nearest key where one is unknown.
    Exit code: 0 when it can be used, 1 when it has mistakes, 2 when there is no such file.

    Example: [bold]standfast check-config standfast.yaml[/]
    """
    if not file.is_file():
        fail(f"there is no file {file}", EXIT_USAGE)
    try:
        loaded = load_file(file)
    except InvalidConfigurationError as error:
        _tell_mistakes(error, json=json)
        raise typer.Exit(EXIT_FAILED) from None
    summary = _summary(loaded)
    if json:
        print_json({"file": str(file), "valid": True, "mistakes": [], **summary})
    else:
        counted = ", ".join(f"{count} {name}" for name, count in summary.items())
        say(f"[green]{plain(file)} is fine[/]: {counted}")


def _tell_mistakes(error: InvalidConfigurationError, *, json: bool) -> None:
    if json:
        mistakes = [
            {"line": one.line or None, "path": one.path, "message": one.message}
            for one in error.mistakes
        ]
        print_json({"file": error.source, "valid": False, "mistakes": mistakes})
        return
    for one in error.mistakes:
        err.print(f"[bold red]{plain(error.source)}[/]: {plain(one)}")


def _summary(loaded: Loaded) -> dict[str, Any]:
    """Count what the configuration holds."""
    configuration = loaded.configuration
    return {
        "services": len(configuration.services),
        "checks": sum(len(one.checks) for one in configuration.services.values()),
        "receivers": len(configuration.receivers),
    }
