"""Pages: what the watchdog says by itself; each receiver hears firing, again, and then resolved."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, assert_never

from pydantic import AwareDatetime, Field, TypeAdapter

from events.base import Value

REPEAT_SECONDS_MAX = 4 * 3600.0
LEVEL_MAX = 16

Status = Literal["firing", "resolved"]


class Notice(Value):
    """What one receiver hears of a page; `level` counts how often it was told again."""

    status: Status
    level: int = 0


class Heard(Value):
    """What a receiver heard last, and when."""

    notice: Notice
    at: AwareDatetime


class Page(Value):
    """One fault, from when it was noticed (`opened`) until it is over (`closed`).

    `alert` is the id of the alert that the log's own path uses, or would. `trying` holds notices
    that were begun and have no end: their receivers may have heard them. A page that is `left` is
    the log's to end.
    """

    id: str
    alert: str
    labels: dict[str, str]
    annotations: dict[str, str]
    receivers: tuple[str, ...]
    services: tuple[str, ...] = ()
    opened: AwareDatetime
    closed: AwareDatetime | None = None
    left: bool = False
    trying: dict[str, Notice] = {}
    heard: dict[str, Heard] = {}

    @property
    def is_over(self) -> bool:
        """Say whether nobody is owed anything any more."""
        return self.left or (
            self.closed is not None and not any(map(self.owes_end, self.receivers))
        )

    def owes_end(self, receiver: str) -> bool:
        """Say whether a receiver may know of the page and was not told its end."""
        heard = self.heard.get(receiver)
        if heard is not None and heard.notice.status == "resolved":
            return False
        return heard is not None or receiver in self.trying

    def next_notice(self, receiver: str, now: datetime, repeat_seconds: float) -> Notice | None:
        """Give what a receiver is to be told now, or None. What may have been heard is repeated."""
        heard, trying = self.heard.get(receiver), self.trying.get(receiver)
        if self.left:
            return None
        if self.closed is not None:
            level = heard.notice.level if heard else 0
            return Notice(status="resolved", level=level) if self.owes_end(receiver) else None
        if trying is not None:
            return trying
        if heard is None:
            return Notice(status="firing")
        level = min(heard.notice.level, LEVEL_MAX)
        wait_seconds = min(REPEAT_SECONDS_MAX, repeat_seconds * 2.0**level)
        if now < heard.at + timedelta(seconds=wait_seconds):
            return None
        return Notice(status="firing", level=level + 1)


class Opened(Value):
    """A fault was noticed."""

    kind: Literal["opened"] = "opened"
    page: Page


class Changed(Value):
    """More is known of it; nobody is told again."""

    kind: Literal["changed"] = "changed"
    id: str
    annotations: dict[str, str]
    services: tuple[str, ...] = ()


class Closed(Value):
    """It is over."""

    kind: Literal["closed"] = "closed"
    id: str
    at: AwareDatetime


class Left(Value):
    """An alert in the log speaks for it now."""

    kind: Literal["left"] = "left"
    id: str


class Telling(Value):
    """From now on the receiver may have heard it."""

    kind: Literal["telling"] = "telling"
    id: str
    receiver: str
    notice: Notice


class Told(Value):
    """The receiver heard it."""

    kind: Literal["told"] = "told"
    id: str
    receiver: str
    notice: Notice
    at: AwareDatetime


class Untold(Value):
    """The receiver did not hear it, for certain."""

    kind: Literal["untold"] = "untold"
    id: str
    receiver: str


class Yielded(Value):
    """Nobody is told anything more in this outage: the log returns, and speaks for itself."""

    kind: Literal["yielded"] = "yielded"
    outage: str


Note = Opened | Changed | Closed | Left | Telling | Told | Untold | Yielded
NOTES: TypeAdapter[Note] = TypeAdapter(Annotated[Note, Field(discriminator="kind")])
Pages = dict[str, Page]


def evolve(pages: Pages, note: Note) -> Pages:
    """Give the pages after a note. A note on a page that is not known changes nothing."""
    if isinstance(note, Opened):
        return {**pages, note.page.id: note.page}
    if isinstance(note, Yielded):
        return pages
    page = pages.get(note.id)
    return pages if page is None else {**pages, note.id: _after(page, note)}


def _after(page: Page, note: Changed | Closed | Left | Telling | Told | Untold) -> Page:
    match note:
        case Changed(annotations=annotations, services=services):
            return page.model_copy(update={"annotations": annotations, "services": services})
        case Closed(at=at):
            return page.model_copy(update={"closed": at})
        case Left():
            return page.model_copy(update={"left": True})
        case Telling(receiver=receiver, notice=notice):
            return page.model_copy(update={"trying": {**page.trying, receiver: notice}})
        case Told(receiver=receiver, notice=notice, at=at):
            heard = {**page.heard, receiver: Heard(notice=notice, at=at)}
            return _ended(page, receiver).model_copy(update={"heard": heard})
        case Untold(receiver=receiver):
            return _ended(page, receiver)
    assert_never(note)


def _ended(page: Page, receiver: str) -> Page:
    trying = {name: notice for name, notice in page.trying.items() if name != receiver}
    return page.model_copy(update={"trying": trying})
