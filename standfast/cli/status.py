"""`standfast status`: what stands, what does not, and who works on it, from the projections."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from projections.database import sqlite_path
from projections.reading import (
    NotReadyError,
    Reading,
    alerts,
    incidents,
    parked_entities,
    projection_states,
    recoveries,
    services,
)
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
from standfast.cli.work import speaking
from standfast.freshness import URGENCY, Freshness, FreshnessReader
from standfast.running import ProcessState, processes_of, supervisor_pid
from standfast.runtime import Situation

if TYPE_CHECKING:
    from projections.base import Row
    from standfast.paths import StateDirectory

SHOWN_MAX = 200


@dataclass(frozen=True, slots=True)
class Status:
    """All of it, of one moment. `processes` are those of Standfast itself.

    `services` are as they are known to be: rows that may be old say nothing of now.
    """

    platform: str
    url: str
    running: bool
    sequence: int
    freshness: Freshness
    services: list[Row]
    incidents: list[Row]
    alerts: list[Row]
    recoveries: list[Row]
    parked: list[Row]
    processes: list[ProcessState]

    @property
    def state(self) -> str:
        """The worst that is true of a service."""
        found = {row["state"] for row in self.services}
        return next((state for state in URGENCY if state in found), "unknown")

    @property
    def critical_down(self) -> list[str]:
        """The critical services that are down."""
        return [r["id"] for r in self.services if r["critical"] and r["state"] == "down"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(state_dir: StateOption = None, json: JsonOption = False) -> None:  # noqa: FBT002
    """Say what stands and what does not: services, incidents, alerts, Standfast's processes.

    It reads the projections, and what watchdog and prober know besides, so it answers too while
    the log does not, or Standfast does not run, and says so: what was healthy is NO DATA then.
    Exit code: 0, or 1 while a critical service is down.

    Example: [bold]standfast status --json | jq .state[/]
    """
    with speaking():
        found = read_status(state_directory(state_dir))
    if json:
        print_json(_as_json(found))
    else:
        _show(found)
    if found.critical_down:
        raise typer.Exit(EXIT_FAILED)


def read_status(directory: StateDirectory) -> Status:
    """Read everything. Raises `NotRunningError`, and `NotReadyError` before the first event."""
    situation = Situation.of(directory)
    url = situation.projections_url
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise NotReadyError(f"there are no projections yet: {path} is missing")
    running = supervisor_pid(directory) is not None
    freshness = FreshnessReader(directory).read(datetime.now(UTC), running=running)
    reading = Reading(url)
    try:
        with reading.moment() as connection:
            return Status(
                platform=situation.runtime.platform,
                url=situation.runtime.web_url,
                running=running,
                sequence=min((s.sequence for s in projection_states(connection)), default=0),
                freshness=freshness,
                services=freshness.of(services(connection)),
                incidents=incidents(connection, "open"),
                alerts=[r for r in alerts(connection) if r["state"] != "resolved"],
                recoveries=[r for r in recoveries(connection) if r["ended"] is None],
                parked=parked_entities(connection),
                processes=processes_of(directory),
            )
    finally:
        reading.close()


def _as_json(found: Status) -> dict[str, Any]:
    return {
        "state": found.state,
        "platform": found.platform,
        "running": found.running,
        "url": found.url,
        "sequence": found.sequence,
        "stale": list(found.freshness.reasons),
        "as_of": found.freshness.as_of or None,
        "told_without_log": [one.model_dump(mode="json") for one in found.freshness.pages],
        "critical_down": found.critical_down,
        "services": [{"name": row["id"], **row} for row in found.services],
        "incidents": found.incidents,
        "alerts": found.alerts,
        "recoveries": found.recoveries,
        "parked": found.parked,
        "processes": [one.model_dump() for one in found.processes],
    }


def _show(found: Status) -> None:
    runs = f"runs, {plain(found.url)}" if found.running else "[yellow]does not run[/]"
    platform, state = plain(found.platform), state_text(found.state)
    how = f"nobody knows how {platform} is: {state}" if found.state == "no data" else ""
    say(f"{how or f'{platform} is {state}'}; Standfast {runs}")
    _show_freshness(found)
    _show_services(found.services)
    for row in found.incidents:
        effects = ", ".join(effect["service"] for effect in row["effects"]) or "nothing else"
        about = f"{row['address']}: {row['cause']} failed, and with it {effects}"
        say(f"{state_text('open')} {plain(about)} [dim]since {_time(row['since'])}[/]")
    for row in found.alerts:
        summary = row["annotations"].get("summary", "")
        say(f"{state_text(row['state'])} {plain(row['address'])} {plain(summary)}")
    for row in found.recoveries:
        _show_recovery(row)
    for row in found.parked:
        say(f"{state_text('parked')} {plain(row['entity'])} {plain(row['error'])}")
    builds = {one.build for one in found.processes if one.build}
    if len(builds) > 1:
        mixed = ", ".join(sorted(builds))
        say(f"[yellow]processes of several builds run: {plain(mixed)}; see `standfast doctor`[/]")
    lost = [one.name for one in found.processes if one.state != "running"]
    if found.running and lost:
        say(f"[yellow]these processes of Standfast do not run: {', '.join(lost)}[/]")


def _show_freshness(found: Status) -> None:
    """Say what makes it less than it seems, and who was told without the log."""
    for reason in found.freshness.reasons:
        if found.running:
            say(f"[yellow]{plain(reason)}; see `standfast doctor`[/]")
    if as_of := found.freshness.as_of:
        say(f"[yellow]what follows is as of {as_of}[/]")
    if not found.running:
        say(f"[dim]as of sequence {found.sequence}; `standfast up` starts it[/]")
    for page in found.freshness.pages:
        heard = ", ".join(page.heard) or "nobody yet"
        say(f"{state_text('firing')} {plain(f'{page.alert} {page.summary}; told {heard}')}")


def _show_recovery(row: Row) -> None:
    steps = ", then ".join(f"{step['effect']} of {step['service']}" for step in row["steps"])
    say(f"{state_text(row['state'])} {plain(row['address'])}: {plain(steps)}")
    if row["state"] == "waiting for approval":
        say(f"  [cyan]standfast approve {plain(shlex.quote(row['id']))}[/]")


def _show_services(rows: list[Row]) -> None:
    width = max((len(row["id"]) for row in rows[:SHOWN_MAX]), default=0)
    for row in rows[:SHOWN_MAX]:
        since = f"since {_time(row['since'])}" if row["since"] else ""
        state = state_text(row["state"], 8)
        say(f"  {plain(row['id'].ljust(width))}  {state} [dim]{since}[/] {plain(row['reason'])}")
    if len(rows) > SHOWN_MAX:
        say(f"  [dim]and {len(rows) - SHOWN_MAX} more, less urgent; --json shows all[/]")


def _time(text: str | None) -> str:
    """Give a stored moment as people read it, to the second."""
    return (text or "").replace("T", " ")[:19] + "Z" if text else "?"
