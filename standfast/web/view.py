"""What the pages say: rows of projections turned into the words and marks that are shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from projections.texts import seconds_text
from standfast.web.spark import Spark, spark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from projections.base import Row
    from projections.latency import LatencyWindow

NAMED_MAX = 3
Mark = Literal["good", "bad", "unsure", "wait"]
MARKS: dict[str, Mark] = {
    "healthy": "good",
    "down": "bad",
    "no data": "unsure",
    "unknown": "wait",
    "retired": "wait",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """The state of everything in one line, and what to know besides."""

    mark: Mark
    text: str
    more: str


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service as a row: its state with a mark, its probes, and what it needs."""

    row: Row
    mark: Mark
    spark: Spark
    needs: tuple[tuple[str, str, Mark], ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One of an incident's stages. `time` is when it was reached, `after` how long that took."""

    name: str
    state: Literal["done", "now", "waiting", "failed", "skipped"]
    time: str
    after: str
    note: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline, with how long after the first failed probe it was."""

    row: Row
    after: str


def service_views(
    rows: Sequence[Row], known: Mapping[str, Row], window: LatencyWindow
) -> list[ServiceView]:
    """Give services as they are shown; `known` are all services by id."""
    return [
        ServiceView(
            row=row,
            mark=MARKS.get(row["state"], "wait"),
            spark=spark(window.values(row["id"])),
            needs=tuple(_need(name, known) for name in row["depends_on"]),
        )
        for row in rows
    ]


def _need(name: str, known: Mapping[str, Row]) -> tuple[str, str, Mark]:
    row = known.get(name)
    if row is None:
        return name, name, "wait"
    return name, row["title"], MARKS.get(row["state"], "wait")


def headline(services: Sequence[Row], incidents: Sequence[Row]) -> Headline:
    """Say how everything is."""
    titles = {row["id"]: row["title"] for row in services}
    by_state: dict[str, list[str]] = {}
    for row in services:
        by_state.setdefault(row["state"], []).append(row["title"])
    down, blind = by_state.get("down", []), by_state.get("no data", [])
    waiting = by_state.get("unknown", [])
    if not services:
        return Headline("wait", "Nothing is watched yet", "Services appear here when configured.")
    if down:
        return Headline("bad", _failing(down, titles, incidents), _besides(blind))
    if blind:
        return Headline("unsure", f"Nobody knows how {_listed(blind)} {_is(blind)}", "")
    if waiting:
        more = f"{len(services) - len(waiting)} of {len(services)} have one."
        return Headline("wait", f"Waiting for a first verdict on {_listed(waiting)}", more)
    return Headline("good", _all_well(services), "")


def _all_well(services: Sequence[Row]) -> str:
    if len(services) == 1:
        return f"{services[0]['title']} is healthy"
    return f"All {len(services)} services are healthy"


def _failing(down: list[str], titles: Mapping[str, str], incidents: Sequence[Row]) -> str:
    """Name the cause first, and what fails because of it."""
    for incident in incidents:
        cause = titles.get(incident["cause"], incident["cause"])
        if incident["state"] == "open" and cause in down:
            effects = [titles.get(m["service"], m["service"]) for m in incident["effects"]]
            because = [title for title in effects if title in down]
            others = len(down) - 1 - len(because)
            also = f"; {others} more {'is' if others == 1 else 'are'} down" if others > 0 else ""
            return f"{cause} is down" + (f", so is {_listed(because)}" if because else "") + also
    return _plain(down)


def _plain(down: list[str]) -> str:
    return f"{_listed(down)} {_is(down)} down"


def _besides(blind: list[str]) -> str:
    return f"Nobody knows how {_listed(blind)} {_is(blind)}." if blind else ""


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _listed(names: Sequence[str]) -> str:
    if len(names) > NAMED_MAX:
        return f"{len(names)} services"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def between(start: str, end: str) -> float:
    """Give the seconds from one stored moment to another."""
    return (_moment(end) - _moment(start)).total_seconds()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def after_text(start: str, time: str) -> str:
    """Give how long after a moment another one was, as in `+2.1 s`."""
    seconds = between(start, time)
    return f"+{seconds_text(seconds)}" if seconds >= 0 else f"\u2212{seconds_text(-seconds)}"


def lines(incident: Row) -> list[Line]:
    """Give an incident's timeline, each line with its distance from the first failed probe."""
    return [Line(row, after_text(incident["since"], row["time"])) for row in incident["timeline"]]


def stages(incident: Row) -> list[Stage]:
    """Give the five stages of an incident, from its first failed probe to its proven end."""
    since = incident["since"]
    return [
        Stage("Failed", "done", since, "", "first failed probe"),
        Stage("Noticed", "done", incident["opened"], after_text(since, incident["opened"]), ""),
        _told(incident),
        _mended(incident),
        _proven(incident),
    ]


def _stage(name: str, state: Any, incident: Row, time: str | None, note: str = "") -> Stage:  # noqa: ANN401  (a literal)
    after = after_text(incident["since"], time) if time else ""
    return Stage(name, state, time or "", after, note)


def _told(incident: Row) -> Stage:
    firing = [n for n in incident["notifications"] if n["status"] == "firing"]
    told = [(n["ended"], n["receiver"]) for n in firing if n["state"] == "succeeded"]
    told += [
        (n["told_at"], n["receiver"])
        for n in incident["told_without_log"]
        if n["status"] == "firing"
    ]
    if told:
        receivers = _listed(sorted({receiver for _, receiver in told}))
        return _stage("Told", "done", incident, min(told)[0], receivers)
    if any(n["state"] == "intended" for n in firing):
        return _stage("Told", "now", incident, None, "on its way")
    if firing:
        return _stage("Told", "failed", incident, None, "could not be told")
    if incident["state"] == "resolved":
        return _stage("Told", "skipped", incident, None, "nobody was to be told")
    return _stage("Told", "waiting", incident, None)


def _mended(incident: Row) -> Stage:
    recoveries = incident["recoveries"]
    acted = sorted(
        effect["ended"]
        for recovery in recoveries
        for effect in recovery["effects"]
        if effect["state"] == "succeeded"
    )
    if acted:
        return _stage("Mended", "done", incident, acted[-1], _actions(recoveries))
    if incident["state"] == "resolved":
        return _stage("Mended", "skipped", incident, None, "it healed by itself")
    if not recoveries:
        return _stage("Mended", "waiting", incident, None, "nothing is planned")
    state = recoveries[0]["state"]
    if state == "shadow":
        return _stage("Mended", "waiting", incident, None, "shadow: only said, not done")
    underway = {"running": "now", "waiting for approval": "now"}
    return _stage("Mended", underway.get(state, "failed"), incident, None, state)


def _actions(recoveries: Sequence[Row]) -> str:
    names = {e["effect"] for recovery in recoveries for e in recovery["effects"]}
    return ", ".join(sorted(name.replace("process.", "") for name in names))


def _proven(incident: Row) -> Stage:
    if incident["state"] == "resolved":
        return _stage("Proven", "done", incident, incident["resolved"], "all checks succeed")
    failing = [member for member in incident["members"] if member["recovered"] is None]
    note = f"{len(failing)} of {len(incident['members'])} still failing"
    return _stage("Proven", "waiting", incident, None, note)
