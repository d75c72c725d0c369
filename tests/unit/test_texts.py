"""Every event has one sentence, and none of them lacks its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import AwareDatetime, BaseModel

from events import codec
from events.base import Event, Evidence, Excerpt
from events.service import ServiceWentDown
from projections.texts import _TEXTS, TONES, describe, first_probe_text, seconds_text

assert codec.UPCASTERS is not None  # importing it registers all events
MOMENT = datetime(2026, 11, 25, tzinfo=UTC)
OURS = {name: e for name, e in Event.registry.items() if e.__module__.startswith("events.")}


def test_every_event_has_a_sentence() -> None:
    assert {event.__name__ for event in OURS.values()} <= _TEXTS.keys()


@pytest.mark.parametrize("event", OURS.values(), ids=lambda event: str(event.__name__))
def test_every_sentence_can_be_said(event: type[Event]) -> None:
    said = describe(sample(event), "service/a")
    assert said
    assert "object at 0x" not in said


def sample(model: type[BaseModel]) -> Any:
    """Give an instance with a value of the right kind in every field."""
    fields = {name: _value(info.annotation) for name, info in model.model_fields.items()}
    return model.model_construct(None, **fields)


def _value(annotation: Any) -> Any:
    parts = get_args(annotation)
    if get_origin(annotation) is Literal:
        return parts[0]
    if get_origin(annotation) is tuple:
        return (_value(parts[0]),)
    if get_origin(annotation) is dict:
        return {"key": _value(parts[1])}
    if parts:
        return _value(parts[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return sample(annotation)
    plain = {str: "text", int: 2, float: 1.5, bool: True, AwareDatetime: MOMENT}
    return plain.get(annotation, "other")


def test_no_sentence_or_tone_is_left_of_an_event_that_is_gone() -> None:
    names = {event.__name__ for event in OURS.values()}
    assert _TEXTS.keys() | TONES.keys() <= names


def test_an_event_without_a_sentence_is_named_in_words() -> None:
    class SomethingOddHappened(Event, type="standfast.testing.something_odd.v1"):
        """An event nobody described."""

    try:
        assert describe(SomethingOddHappened(), "service/a") == "Something odd happened (a)"
    finally:
        del Event.registry["standfast.testing.something_odd.v1"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (7_800, "2 h 10 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_times_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_a_failure_before_the_outage_is_not_its_first_failed_probe() -> None:
    def row(minute: int, reason: str) -> Excerpt:
        time = datetime(2026, 11, 25, 12, minute, tzinfo=UTC)
        return Excerpt(
            time=time, check="http", succeeded=not reason, duration_seconds=0.1, reason=reason
        )

    rows = (row(0, "refused at start"), row(1, ""), row(2, "status 503"), row(3, "timed out"))
    evidence = Evidence(stream="T", log_id="l", generation=1, first=1, last=4, excerpt=rows)
    event = ServiceWentDown(
        was="healthy", since=rows[2].time, check="http", reason="timed out", evidence=evidence
    )
    assert first_probe_text(event, "app") == "First failed probe of app: check http: status 503"
