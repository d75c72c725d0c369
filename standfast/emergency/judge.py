"""The prober's own judgement: the thresholds of the evaluator, on results it has in its memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.service import Watched, health_name
from evaluation.news import is_news
from evaluation.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from actors.runtime.service_book import Page
    from evaluation.series import Reading
    from evaluation.thresholds import Conclusion
    from events.service import Check
    from standfast.emergency.records import Outage


@dataclass(slots=True)
class Judge:
    """What is concluded from results, whether or not the log ever hears of them."""

    watching: Watching = field(default_factory=Watching)
    _touched: set[str] = field(default_factory=set)
    _waiting: dict[str, float] = field(default_factory=dict)

    def configure(
        self, service: str, checks: Iterable[Check], since: datetime, *, was_down: bool
    ) -> None:
        """Watch a service from a moment on."""
        self.watching.configure(service, checks, since, was_down=was_down)

    def retire(self, service: str) -> None:
        """Watch a service no more."""
        self.watching.retire(service)
        self._waiting.pop(service, None)

    def count(self, service: str, check: str, reading: Reading, distrust: str) -> None:
        """Count one result; `distrust` says why it counts for nothing, where that is so."""
        self.watching.advance(reading.time, 0)
        self.watching.count(service, check, reading, reading.time, distrust)
        self._touched.add(service)

    def overdue_seconds(self, pages: Mapping[str, Page], now_seconds: float) -> float:
        """Give for how long at most the log has not said that a service is down which is."""
        touched, self._touched = self._touched, set()
        for service in touched | set(self._waiting):
            page = pages.get(service)
            if page is not None and self._is_unsaid(service, page):
                self._waiting.setdefault(service, now_seconds)
            else:
                self._waiting.pop(service, None)
        return max((now_seconds - since for since in self._waiting.values()), default=0.0)

    def news(self, outage: Outage, pages: Mapping[str, Page]) -> list[tuple[str, Conclusion]]:
        """Give what differs from what is known of services, by the outage and by the log."""
        touched, self._touched = self._touched | set(self._waiting), set()
        self._waiting.clear()
        newest = outage.newest
        found = []
        for service in sorted(touched):
            page, said = pages.get(service), newest.get(service)
            known = said.verdict if said else _known(service, page, outage)
            conclusion = self.watching.conclude(service)
            if conclusion is None or not _is_told(conclusion.verdict, known):
                continue
            if said or page is None or self._is_news(service, page):
                found.append((service, conclusion))
        return found

    def _is_unsaid(self, service: str, page: Page) -> bool:
        return self.watching.verdict(service) == "down" and self._is_news(service, page)

    def _is_news(self, service: str, page: Page) -> bool:
        return isinstance(page.state, Watched) and is_news(
            self.watching, service, page.state, page.configured, page.changed
        )


def _known(service: str, page: Page | None, outage: Outage) -> str:
    """Give the health that is known; without a page only what the outage began with."""
    if page is None:
        return "down" if service in outage.began.down else "unknown"
    return health_name(page.state.health) if isinstance(page.state, Watched) else "unwatched"


def _is_told(verdict: str, known: str) -> bool:
    """Failures are told, and the end of one; what nobody sees, or saw first, can wait."""
    if verdict == "down":
        return known not in {"down", "unwatched"}
    return verdict == "healthy" and known == "down"
