"""What a receiver reads says what is wrong, since when, whether again, and never a secret."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from effects.contract import Failed, Result, Succeeded, Unknown
from effects.notifiers.apprise import explain
from effects.notifiers.letter import Letter
from effects.notifiers.payload import fingerprint, payload_of
from effects.notifiers.settings import shown_place
from effects.notifiers.story import Story
from effects.notifiers.texts import body_of, title_of
from effects.notifiers.webhook import judge
from events.address import EntityAddress

STARTED = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
STORY = Story(
    alert=EntityAddress("alert", "ServiceDown:db"),
    labels={"alertname": "ServiceDown", "service": "db", "severity": "critical"},
    annotations={"summary": "db is down, and because of it app"},
    incident="db-22",
    started=STARTED,
    ended=STARTED + timedelta(seconds=90),
)
FIRING = Letter("ops", "firing", 0, STORY, "key", 7, "https://sf.example.org/")
AGAIN = replace(FIRING, level=2)
RESOLVED = replace(FIRING, status="resolved", level=2)


def test_titles_say_what_is_said_of_what() -> None:
    assert title_of(FIRING) == "[FIRING] ServiceDown: db"
    assert title_of(AGAIN) == "[FIRING, told again (2)] ServiceDown: db"
    assert title_of(RESOLVED) == "[RESOLVED] ServiceDown: db"


def test_a_body_says_since_when_and_where_to_look() -> None:
    assert body_of(FIRING).splitlines() == [
        "db is down, and because of it app",
        "Since: 2026-11-25T03:00:00Z",
        "Severity: critical",
        "Incident: db-22",
        "https://sf.example.org/",
    ]


def test_a_body_says_that_nobody_acknowledged_and_how_long_it_lasted() -> None:
    assert "it is told for the 3. time" in body_of(AGAIN)
    assert "Resolved: 2026-11-25T03:01:30Z, after 90 s" in body_of(RESOLVED)
    assert "acknowledged" not in body_of(RESOLVED)


def test_the_end_is_in_the_payload_only_when_it_is_told() -> None:
    assert payload_of(FIRING)["alerts"][0]["endsAt"] == "0001-01-01T00:00:00Z"
    resolved = payload_of(RESOLVED)
    assert resolved["alerts"][0]["endsAt"] == "2026-11-25T03:01:30Z"
    assert resolved["alerts"][0]["generatorURL"] == "https://sf.example.org/incidents/db-22"
    assert resolved["groupKey"] == payload_of(FIRING)["groupKey"]


def test_fingerprints_are_those_of_prometheus() -> None:
    labels = {"name": "garland, briggs", "fear": "love is not enough"}
    assert int(fingerprint(labels), 16) == 5799056148416392346
    assert int(fingerprint({}), 16) == 14695981039346656037


@pytest.mark.parametrize(
    ("permanent", "statuses"),
    [(True, (301, 400, 401, 404, 410)), (False, (408, 425, 429, 500, 502, 503))],
)
def test_a_status_says_whether_trying_again_can_help(
    permanent: bool, statuses: tuple[int, ...]
) -> None:
    for status in statuses:
        assert judge(status, "x") == Failed(f"x answered {status}", permanent=permanent)
    assert isinstance(judge(204, "x"), Succeeded)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:secret@example.org:8443/secret?token=secret", "https://example.org:8443"),
        ("json://ann:secret@example.org/secret", "json://example.org"),
        ("slack://secret/secret", "slack://..."),
        ("secret", "its address"),
        ("https://[secret", "its address"),
    ],
)
def test_of_an_address_no_secret_is_shown(url: str, shown: str) -> None:
    assert shown_place(url) == shown


@pytest.mark.parametrize(
    ("lines", "result"),
    [
        (["Failed to send, error=404."], Failed("x answered 404", permanent=True)),
        (["Socket Exception: Read timed out."], Unknown("x did not answer in time")),
        (["Socket Exception: connect timeout"], Failed("x could not be reached, or refused")),
        ([], Failed("x could not be reached, or refused")),
    ],
)
def test_a_failure_of_apprise_is_judged_by_what_it_logged(lines: list[str], result: Result) -> None:
    assert explain(lines, "x") == result
