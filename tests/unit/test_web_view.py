"""The words of the page."""

from __future__ import annotations

from typing import Any

import pytest

from projections.moments import BadMomentError, parse_moment
from standfast.web.view import headline, stages
from tests.history import EPOCH

TITLES = {"db": "Database", "app": "Shop", "cache": "Cache", "mail": "Mail", "auth": "Login"}


def rows(**states: str) -> list[dict[str, Any]]:
    return [
        {"id": name, "title": TITLES[name], "state": state.replace("_", " ")}
        for name, state in states.items()
    ]


def incident(cause: str, *effects: str) -> dict[str, Any]:
    return {"cause": cause, "state": "open", "effects": [{"service": name} for name in effects]}


@pytest.mark.parametrize(
    ("services", "incidents", "text"),
    [
        (rows(), [], "Nothing is watched yet"),
        (rows(db="healthy"), [], "Database is healthy"),
        (rows(db="healthy", app="healthy"), [], "All 2 services are healthy"),
        (rows(db="unknown", app="healthy"), [], "Waiting for a first verdict on Database"),
        (rows(db="no_data", app="no_data"), [], "Nobody knows how Database and Shop are"),
        (rows(db="down", app="healthy"), [], "Database is down"),
        (rows(db="down", app="down"), [incident("db", "app")], "Database is down, so is Shop"),
        (
            rows(db="down", app="down", mail="down"),
            [incident("db", "app")],
            "Database is down, so is Shop; 1 more is down",
        ),
        (rows(db="healthy", app="down"), [incident("db", "app")], "Shop is down"),
        (rows(db="down", app="down", mail="down", auth="down"), [], "4 services are down"),
    ],
)
def test_one_line_says_how_all_is(
    services: list[dict[str, Any]], incidents: list[dict[str, Any]], text: str
) -> None:
    assert headline(services, incidents).text == text


def told(state: str, status: str = "firing") -> dict[str, Any]:
    ended = "2026-11-25T12:00:04.000000Z" if state == "succeeded" else None
    return {"status": status, "state": state, "ended": ended, "receiver": "on-call"}


HEARD = {"status": "firing", "receiver": "on-call", "told_at": "2026-11-25T12:00:03.000000Z"}


def recovery(state: str, *effects: str) -> dict[str, Any]:
    ended = "2026-11-25T12:00:09.000000Z"
    return {
        "state": state,
        "effects": [{"state": e, "ended": ended, "effect": "process.restart"} for e in effects],
    }


def whole(state: str = "open", **parts: Any) -> dict[str, Any]:
    return {
        "state": state,
        "since": "2026-11-25T12:00:00.000000Z",
        "opened": "2026-11-25T12:00:02.000000Z",
        "resolved": "2026-11-25T12:00:14.000000Z" if state == "resolved" else None,
        "notifications": [],
        "told_without_log": [],
        "recoveries": [],
        "members": [{"recovered": None}],
        **parts,
    }


@pytest.mark.parametrize(
    ("row", "states"),
    [
        (whole(), "done done waiting waiting waiting"),
        (whole(notifications=[told("intended")]), "done done now waiting waiting"),
        (whole(notifications=[told("failed")]), "done done failed waiting waiting"),
        (whole(notifications=[told("unknown")]), "done done failed waiting waiting"),
        (
            whole(notifications=[told("succeeded")], recoveries=[recovery("running")]),
            "done done done now waiting",
        ),
        (whole(recoveries=[recovery("failed")]), "done done waiting failed waiting"),
        (whole(recoveries=[recovery("shadow")]), "done done waiting waiting waiting"),
        (whole(recoveries=[recovery("running", "succeeded")]), "done done waiting done waiting"),
        (whole("resolved"), "done done skipped skipped done"),
        (
            whole("resolved", told_without_log=[HEARD]),
            "done done done skipped done",
        ),
    ],
)
def test_stages_say_how_far_it_is(row: dict[str, Any], states: str) -> None:
    assert " ".join(stage.state for stage in stages(row)) == states


def test_stages_say_how_long_each_took() -> None:
    row = whole("resolved", notifications=[told("succeeded")])
    assert [stage.after for stage in stages(row)] == ["", "+2.0 s", "+4.0 s", "", "+14 s"]


def test_people_are_told_when_the_first_of_them_is_with_the_log_or_without() -> None:
    row = whole(notifications=[told("succeeded")], told_without_log=[HEARD])
    stage = stages(row)[2]
    assert (stage.state, stage.after, stage.note) == ("done", "+3.0 s", "on-call")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", "2026-11-25T11:58:30+00:00"),
        ("1.5h", "2026-11-25T10:30:00+00:00"),
        ("2026-11-25T13:00:00+02:00", "2026-11-25T11:00:00+00:00"),
        ("2026-11-25", "2026-11-25T00:00:00+00:00"),
    ],
)
def test_moments_are_instants_or_ages(text: str, moment: str) -> None:
    assert parse_moment(text, EPOCH).isoformat() == moment


@pytest.mark.parametrize(
    "text", ["", "yesterday", "10", "-5m", "999999999d", "0001-01-01T00:00:00+23:59", "5 m"]
)
def test_what_is_no_moment_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(BadMomentError, match="is not a moment; valid is"):
        parse_moment(text, EPOCH)
