"""`standfast simulate`: Standfast's own code under simulated time, network, log and world."""

from __future__ import annotations

import secrets
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from scenarios.bugs import BUGS
from scenarios.simulation.run import Result
from scenarios.simulation.run import simulate as run_simulation
from scenarios.simulation.search import never_exercised
from scenarios.simulation.settings import SimulationSettings, again
from scenarios.simulation.shrink import keep, shrink
from standfast.cli.arguments import finite
from standfast.cli.terminal import (
    EXIT_FAILED,
    EXIT_USAGE,
    JsonOption,
    fail,
    plain,
    print_json,
    say,
    styled,
)

EXIT_NOT_EXERCISED = 3
SEED_MAX, SEEDS_MAX, SERVICES_MAX = 2**31, 10_000, 2_000
DAYS_MIN, DAYS_MAX = 0.005, 366.0
"""Seven minutes are the least: in the first of them all is configured, and nothing goes wrong."""
PER_DAY_MAX, HEAL_SECONDS_MAX, MISHAPS_MAX = 86_400.0, 604_800.0, 1_000_000
PROBLEMS_SHOWN_MAX, STEPS_SHOWN_MAX = 10, 30

SeedOption = Annotated[
    int | None, typer.Option("--seed", min=0, max=SEED_MAX, help="The first seed; else drawn.")
]
SeedsOption = Annotated[int, typer.Option("--seeds", min=1, max=SEEDS_MAX, help="How many seeds.")]
DaysOption = Annotated[
    float,
    typer.Option(
        "--days", min=DAYS_MIN, max=DAYS_MAX, callback=finite, help="How long each run is."
    ),
]
ServicesOption = Annotated[
    int, typer.Option("--services", min=1, max=SERVICES_MAX, help="How many services there are.")
]
FailuresOption = Annotated[
    float,
    typer.Option(
        "--failures-per-day",
        min=0,
        max=PER_DAY_MAX,
        callback=finite,
        help="How often each service fails.",
    ),
]
FaultsOption = Annotated[
    float,
    typer.Option(
        "--faults-per-day",
        min=0,
        max=PER_DAY_MAX,
        callback=finite,
        help="How often Standfast itself is hurt.",
    ),
]
HealOption = Annotated[
    float,
    typer.Option(
        "--heal-seconds",
        min=1,
        max=HEAL_SECONDS_MAX,
        callback=finite,
        help="How long all is healed before the last look.",
    ),
]
KeepOption = Annotated[
    Path | None,
    typer.Option("--keep", metavar="DIR", help="Shrink a failing seed, and keep it as a case."),
]
BugOption = Annotated[str, typer.Option("--bug", hidden=True, help="Seed a bug on purpose.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(  # noqa: PLR0913, PLR0917  (each is an option)
    seed: SeedOption = None,
    seeds: SeedsOption = 1,
    days: DaysOption = 1.0,
    services: ServicesOption = 100,
    failures_per_day: FailuresOption = 0.5,
    faults_per_day: FaultsOption = 40.0,
    heal_seconds: HealOption = 1800.0,
    keep_in: KeepOption = None,
    bug: BugOption = "",
    json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Run days of Standfast in seconds: its own code, in simulated time, hurt by chance.

    Hosts, executor and log are killed, frozen, doubled and cut off; services fail meanwhile. The
    five invariants must hold: of the log after each commit, of memories whenever all is calm. One
    seed is one run, always the same. With several seeds each claim of an invariant must have been
    exercised in one of them, too.
    Exit code: 0; 1 when an invariant broke; 2 for options that can't be; 3 when all hold, and a
    claim was never exercised in several seeds.

    Example: [bold]standfast simulate --seed 7 --days 1 --services 100 --json | jq .clean[/]
    """
    if bug and bug not in BUGS:
        fail(f"there is no bug {bug!r}; there are: {', '.join(BUGS)}", EXIT_USAGE)
    if (mishaps := days * (services * failures_per_day + faults_per_day)) > MISHAPS_MAX:
        fail(f"a run of {mishaps:,.0f} mishaps; at most {MISHAPS_MAX:,} can be", EXIT_USAGE)
    first = secrets.randbelow(SEED_MAX) if seed is None else seed
    found: list[Result] = []
    for number in range(first, first + seeds):
        settings = SimulationSettings(
            seed=number,
            days=days,
            services=services,
            failures_per_day=failures_per_day,
            faults_per_day=faults_per_day,
            heal_seconds=heal_seconds,
            bug=bug,
        )
        result = run_simulation(settings)
        found.append(result)
        if not json:
            _show(result)
        if result.problems and keep_in is not None:
            _keep(settings, keep_in, json=json)
    _end(found, json=json)


def _end(found: list[Result], *, json: bool) -> None:
    """Say what all runs together showed, and end with the exit code for it."""
    missing, many = never_exercised(found), len(found) > 1
    clean = not any(one.problems for one in found)
    if json:
        runs = list(map(_as_json, found))
        print_json({"clean": clean, "never_exercised": missing, "runs": runs})
    elif missing:
        named = styled(f"never exercised: {', '.join(missing)}", "red" if many else "dim")
        say(f"{named}; more seeds, failures or faults do it")
    if not clean:
        raise typer.Exit(EXIT_FAILED)
    if missing and many:
        raise typer.Exit(EXIT_NOT_EXERCISED)


def _keep(settings: SimulationSettings, folder: Path, *, json: bool) -> None:
    case = shrink(settings)
    if case is not None:
        path = keep(case, folder)
        if not json:
            say(f"  {len(case.plan)} mishaps are enough: {plain(str(path))}")


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "seed": result.settings.seed,
        "clean": not result.problems,
        "problems": list(result.problems),
        "days": result.settings.days,
        "services": result.settings.services,
        "counts": result.counts,
        "broken": list(result.broken),
        "last_steps": list(result.last_steps) if result.problems else [],
        "faults": [
            {
                "number": one.number,
                "fault": one.fault,
                "target": one.target,
                "in_flight": one.in_flight,
            }
            for one in result.faults
        ],
        "exercised": result.exercised,
        "digest": result.digest,
        "speedup": round(result.speedup),
    }


def _show(result: Result) -> None:
    seed, verdict = result.settings.seed, "NOT clean" if result.problems else "clean"
    counts = result.counts
    did = f"{counts.get('commits', 0)} commits, {counts.get('commands', 0)} commands"
    say(f"seed {seed}: {verdict}; {did}, {result.speedup:,.0f} times as fast as time")
    in_flight = sum(one.in_flight for one in result.faults)
    kinds = Counter(one.fault for one in result.faults)
    say(f"  faults: {_counted(kinds)}; commands in flight at them: {in_flight}")
    say(f"  exercised: {_counted(result.exercised)}")
    for step in result.last_steps[-STEPS_SHOWN_MAX:] if result.problems else ():
        say(f"  [dim]{plain(step)}[/]")
    for problem in result.problems[:PROBLEMS_SHOWN_MAX]:
        say(f"  [red]{plain(problem)}[/]")
    if result.problems:
        say(f"  again: {again(result.settings)}")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
