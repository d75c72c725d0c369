"""All commands, by group."""

from __future__ import annotations

import typer

from standfast.cli import (
    actors,
    bench,
    check_config,
    check_run,
    demo,
    doctor,
    events,
    faults,
    log,
    operate,
    projections,
    replay,
    simulate,
    status,
    up,
    upgrade,
    verify,
    why,
)

app = typer.Typer(
    name="standfast",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Keeps a platform standing: watches, tells, mends, proves and remembers, from one log.\n\n"
        "Begin with [bold]standfast up[/]: without a configuration it runs a small real platform"
        " to try things on. Then [bold]standfast demo break database[/], and"
        " [bold]standfast why service/demo-app[/]."
    ),
)
GROUPS = (
    up,
    upgrade,
    check_config,
    status,
    actors,
    events,
    replay,
    why,
    verify,
    log,
    projections,
    operate,
    doctor,
    demo,
    faults,
    check_run,
    simulate,
    bench,
)
for group in GROUPS:
    group.register(app)


@app.callback()
def _root() -> None:
    """Keep commands as such, even a single one."""


def run() -> None:
    """Run the command line."""
    app()
