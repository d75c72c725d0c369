"""Each receiver of a page hears firing, again and again, and then resolved, also over restarts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce

from standfast.watchdog.pages import (
    NOTES,
    Changed,
    Closed,
    Left,
    Note,
    Notice,
    Opened,
    Page,
    Pages,
    Telling,
    Told,
    Untold,
    evolve,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FIRING, RESOLVED = Notice(status="firing"), Notice(status="resolved")
PAGE = Page(
    id="p",
    alert="StandfastSilent",
    labels={"alertname": "StandfastSilent"},
    annotations={"summary": "silent"},
    receivers=("team", "boss"),
    opened=NOW,
)


def after(*notes: Note) -> Page:
    """Fold notes as they come back from the journal."""
    read = [NOTES.validate_python(note.model_dump()) for note in notes]
    pages: Pages = reduce(evolve, read, {})
    return pages["p"]


def wanted(page: Page, seconds: float = 0.0, receiver: str = "team") -> Notice | None:
    return page.next_notice(receiver, NOW + timedelta(seconds=seconds), 300)


def telling(notice: Notice = FIRING) -> Telling:
    return Telling(id="p", receiver="team", notice=notice)


def told(notice: Notice = FIRING, seconds: float = 0.0) -> Told:
    at = NOW + timedelta(seconds=seconds)
    return Told(id="p", receiver="team", notice=notice, at=at)


def test_each_receiver_is_told_once() -> None:
    page = after(Opened(page=PAGE), telling(), told())
    assert wanted(page) is None
    assert wanted(page, receiver="boss") == FIRING


def test_it_is_told_again_ever_more_rarely() -> None:
    once = after(Opened(page=PAGE), telling(), told())
    assert wanted(once, 299) is None
    assert wanted(once, 301) == Notice(status="firing", level=1)
    again = Notice(status="firing", level=1)
    twice = after(Opened(page=PAGE), telling(), told(), telling(again), told(again, 301))
    assert wanted(twice, 301 + 599) is None
    assert wanted(twice, 301 + 601) == Notice(status="firing", level=2)


def test_what_may_have_been_heard_is_repeated_as_it_was() -> None:
    again = Notice(status="firing", level=1)
    page = after(Opened(page=PAGE), telling(), told(), telling(again))
    assert wanted(page) == again


def test_what_was_not_heard_is_tried_anew() -> None:
    page = after(Opened(page=PAGE), telling(), Untold(id="p", receiver="team"))
    assert wanted(page) == FIRING


def test_whoever_may_have_heard_it_hears_its_end_and_nobody_else() -> None:
    closed = Closed(id="p", at=NOW)
    heard = after(Opened(page=PAGE), telling(), told(), closed)
    assert wanted(heard) == RESOLVED
    assert wanted(heard, receiver="boss") is None
    unsure = after(Opened(page=PAGE), telling(), closed)
    assert wanted(unsure) == RESOLVED
    never = after(Opened(page=PAGE), telling(), Untold(id="p", receiver="team"), closed)
    assert wanted(never) is None
    assert never.is_over


def test_a_page_is_over_when_its_end_was_heard() -> None:
    ending = (Opened(page=PAGE), telling(), told(), Closed(id="p", at=NOW))
    assert not after(*ending).is_over
    assert not after(*ending, telling(RESOLVED)).is_over
    over = after(*ending, telling(RESOLVED), told(RESOLVED))
    assert over.is_over
    assert wanted(over) is None


def test_what_is_left_to_the_log_is_told_no_more() -> None:
    page = after(Opened(page=PAGE), telling(), told(), Left(id="p"))
    assert wanted(page, 100_000) is None
    assert page.is_over


def test_a_change_tells_nobody_again() -> None:
    changed = Changed(id="p", annotations={"summary": "more"}, services=("a",))
    page = after(Opened(page=PAGE), telling(), told(), changed)
    assert page.annotations == {"summary": "more"}
    assert wanted(page) is None


def test_notes_on_a_page_that_is_not_known_change_nothing() -> None:
    assert evolve({}, Closed(id="p", at=NOW)) == {}
