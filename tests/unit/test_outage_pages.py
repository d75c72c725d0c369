"""One page for the log that is away, and one for each cause among the services."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce
from typing import Any, Literal

from standfast.config.model import Configuration
from standfast.emergency.records import Began, Concluded, Outage, Unkept
from standfast.watchdog.outages import SETTLE_SECONDS, OutagePages, Settling
from standfast.watchdog.pages import Pages, evolve

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CHECK = {"kind": "tcp", "port": 1}
CONFIGURATION = Configuration.model_validate(
    {
        "services": {
            "db": {"checks": [CHECK]},
            "app": {"checks": [CHECK], "depends_on": ["db"]},
            "site": {"checks": [CHECK], "depends_on": ["app"], "critical": False},
            "other": {"checks": [CHECK]},
        },
        "receivers": {"team": {"type": "webhook", "url": "http://127.0.0.1/"}},
        "alerting": {"receivers": ["team"]},
    }
)


class Watching:
    """The pages of one outage, as conclusions come in."""

    def __init__(self) -> None:
        self.outage = Outage(began=Began(outage="o", since=NOW, reason="it hangs", services=4))
        self.pages: Pages = {}

    def see(self, verdict: Literal["healthy", "down"], *services: str) -> None:
        records = [
            Concluded(service=name, verdict=verdict, since=NOW, observed=NOW, reason="refused")
            for name in services
        ]
        self.outage = self.outage.after(*records)
        made = OutagePages(self.outage, self.pages, CONFIGURATION, NOW)
        self.pages = reduce(evolve, list(made.notes(made.unsaid)), self.pages)

    def open(self) -> dict[str, str]:
        """Give the summaries of the open pages by their alerts."""
        return {
            page.alert: page.annotations["summary"]
            for page in self.pages.values()
            if page.closed is None
        }


def test_the_log_has_one_page() -> None:
    watching = Watching()
    watching.see("down")
    watching.see("down")
    assert watching.open() == {"LogAway": "Standfast's log takes nothing: it hangs"}
    (page,) = watching.pages.values()
    assert "4 services are watched without it" in page.annotations["description"]


def test_effects_stand_on_the_page_of_their_cause() -> None:
    watching = Watching()
    watching.see("down", "site", "app", "db", "other")
    assert watching.open() == {
        "LogAway": "Standfast's log takes nothing: it hangs",
        "ServiceDown:db": "db is down, and because of it app, site",
        "ServiceDown:other": "other is down",
    }


def test_a_page_is_that_of_the_alert_which_the_log_will_have() -> None:
    watching = Watching()
    watching.see("down", "site")
    page: Any = next(one for one in watching.pages.values() if one.services)
    assert page.labels == {"alertname": "ServiceDown", "service": "site", "severity": "warning"}
    assert page.receivers == ("team",)
    assert page.annotations["description"] == "refused. Told without the log: it hangs."


def test_what_follows_changes_the_page_and_the_last_end_closes_it() -> None:
    watching = Watching()
    watching.see("down", "db")
    watching.see("down", "app")
    assert watching.open()["ServiceDown:db"] == "db is down, and because of it app"
    watching.see("healthy", "db")
    assert "ServiceDown:db" in watching.open()
    watching.see("healthy", "app")
    assert list(watching.open()) == ["LogAway"]
    watching.see("down", "db")
    assert watching.open()["ServiceDown:db"] == "db is down"


def test_what_fails_together_settles_before_it_is_told() -> None:
    settling = Settling()
    assert settling.settled({"app"}, 10) == set()
    assert settling.settled({"app", "db"}, 10 + SETTLE_SECONDS / 2) == set()
    assert settling.settled({"app", "db"}, 10 + SETTLE_SECONDS) == {"app", "db"}
    assert settling.settled(set(), 20) == settling.settled({"x"}, 21) == set()


def test_changes_that_can_not_be_named_have_one_page() -> None:
    watching = Watching()
    for count in (1, 2, 4):
        watching.outage = watching.outage.after(Unkept(conclusions=count))
        watching.see("healthy")
    pages = [page for page in watching.pages.values() if page.alert == "ServicesUnnamed"]
    assert len(pages) == 1
    assert pages[0].closed is None
    assert pages[0].receivers == ("team",)
    assert pages[0].annotations["summary"].startswith("About 4 more changes of services")
