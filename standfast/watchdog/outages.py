"""Pages of an outage of the log: one for the log, and one for each cause among the services."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.policies.tell import down_labels, down_summary
from actors.topology import cause_of
from standfast.watchdog.faults import (
    annotations_of,
    log_page,
    log_page_id,
    unkept_page,
    unkept_page_id,
    unkept_texts,
)
from standfast.watchdog.pages import Changed, Closed, Note, Opened, Page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from standfast.config.model import Configuration
    from standfast.emergency.records import Outage
    from standfast.watchdog.pages import Pages

SETTLE_SECONDS = 2.0
"""So long what fails together may need to show: a cause is named before its effects."""


@dataclass(slots=True)
class Settling:
    """Services that are down and were not told yet, and since when (monotonic seconds)."""

    _since: dict[str, float] = field(default_factory=dict)

    def settled(self, unsaid: set[str], now_seconds: float) -> set[str]:
        """Give what is to be told now: all of it, or nothing."""
        self._since = {name: self._since.get(name, now_seconds) for name in unsaid}
        first = min(self._since.values(), default=now_seconds)
        return unsaid if now_seconds - first >= SETTLE_SECONDS else set()


@dataclass(frozen=True, slots=True)
class OutagePages:
    """What is to be noted of pages because of an outage, at one moment."""

    outage: Outage
    pages: Pages
    configuration: Configuration
    now: datetime

    @property
    def down(self) -> set[str]:
        """The services that were concluded to be down, and not healthy again."""
        return {name for name, one in self.outage.newest.items() if one.verdict == "down"}

    @property
    def unsaid(self) -> set[str]:
        """Those of them that no page speaks of."""
        return self.down - {name for page in self._open() for name in page.services}

    def notes(self, settled: set[str]) -> Iterator[Note]:
        """Give the notes: the log's own page, ends, and what is new of `settled`."""
        if log_page_id(self.outage) not in self.pages:
            yield Opened(page=log_page(self.configuration, self.outage, self.now))
        if self.outage.unkept:
            yield from self._unkept()
        down = self.down
        for page in self._open():
            if not down.intersection(page.services):
                yield Closed(id=page.id, at=self.now)
        yield from self._told(settled)

    def _unkept(self) -> Iterator[Note]:
        """Give what is noted of changes that can't be named."""
        known = self.pages.get(unkept_page_id(self.outage))
        texts = annotations_of(unkept_texts(self.outage))
        if known is None:
            yield Opened(page=unkept_page(self.configuration, self.outage, self.now))
        elif known.annotations != texts:
            yield Changed(id=known.id, annotations=texts)

    def _open(self) -> list[Page]:
        start = f"{self.outage.id}-"
        return [
            page
            for page in self.pages.values()
            if page.id.startswith(start) and page.closed is None and not page.left
        ]

    def _told(self, names: set[str]) -> Iterator[Note]:
        """Give a page for each new cause; what follows from one that was told only changes it."""
        topology, down = self.configuration.topology(), self.down
        effects: dict[str, list[str]] = {}
        for name in sorted(names):
            effects.setdefault(cause_of(topology, name, down), []).append(name)
        known = {page.services[0]: page for page in self._open()}
        for cause, found in effects.items():
            before = known[cause].services if cause in known else (cause,)
            services = (*before, *[name for name in found if name not in before])
            if cause in known:
                texts = self._annotations(services)
                yield Changed(id=known[cause].id, annotations=texts, services=services)
            else:
                yield Opened(page=self._page(services))

    def _annotations(self, services: tuple[str, ...]) -> dict[str, str]:
        cause, *effects = services
        newest = self.outage.newest.get(cause)
        reason = f"{newest.reason}. " if newest and newest.reason else ""
        return {
            "summary": down_summary(cause, tuple(effects)),
            "description": f"{reason}Told without the log: {self.outage.began.reason}.",
        }

    def _page(self, services: tuple[str, ...]) -> Page:
        """Give the page that the log's own path would send for the alert of this cause."""
        cause = services[0]
        settings = self.configuration.services.get(cause)
        newest = self.outage.newest.get(cause)
        return Page(
            id=f"{self.outage.id}-{len(self.outage.conclusions)}-{cause}",
            alert=f"ServiceDown:{cause}",
            labels=down_labels(cause, critical=settings is None or settings.critical),
            annotations=self._annotations(services),
            receivers=self.configuration.alerting.receivers,
            services=services,
            opened=newest.since if newest else self.now,
        )
