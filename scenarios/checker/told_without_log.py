"""Told without the log: what the log says of it afterwards, and what receivers truly heard."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from events.platform import PlatformToldWithoutLog

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from events.base import Envelope
    from scenarios.checker.records import Delivery

SKEW = timedelta(seconds=2)
Told = tuple[str, str, str]
"""The alert as `alert/id`, the receiver, and the status."""


@dataclass(frozen=True, slots=True)
class _Fact:
    """One receiver heard something, as the log says."""

    told: Told
    at: datetime
    sequence: int


@dataclass(slots=True)
class ToldWithoutLog:
    """Holds deliveries without a fence against the facts about them, both ways.

    Who tells may be killed before it notes that it did. Then it tells the same again, or that it is
    over, and notes that: so a delivery needs a fact of that moment or later.
    """

    _facts: list[_Fact] = field(default_factory=list)
    _heard: list[Delivery] = field(default_factory=list)

    def note(self, envelope: Envelope) -> None:
        """Take an event of the log."""
        event = envelope.event
        if isinstance(event, PlatformToldWithoutLog):
            told = (f"alert/{event.alert}", event.receiver, event.status)
            self._facts.append(_Fact(told, event.told_at, envelope.position.sequence))

    def delivered(self, delivery: Delivery) -> None:
        """Take what a receiver heard without a fence."""
        self._heard.append(delivery)

    def unknown_to_the_log(self) -> Iterator[Delivery]:
        """Give what was heard, and the log does not know."""
        noted: dict[Told, list[datetime]] = defaultdict(list)
        for fact in self._facts:
            alert, receiver, status = fact.told
            noted[fact.told].append(fact.at)
            if status == "resolved":
                noted[alert, receiver, "firing"].append(fact.at)
        for delivery in self._heard:
            told = (delivery.subject, delivery.receiver, delivery.status)
            if max(noted[told], default=delivery.time - 2 * SKEW) < delivery.time - SKEW:
                yield delivery

    def never_heard(self, receivers: Collection[str]) -> Iterator[tuple[str, int]]:
        """Give what the log says that a receiver heard, and it did not, and where it says so."""
        heard: dict[Told, list[datetime]] = defaultdict(list)
        for one in self._heard:
            heard[one.subject, one.receiver, one.status].append(one.time)
        for times in heard.values():
            times.sort()
        for fact in self._facts:
            alert, receiver, status = fact.told
            if receiver in receivers and not bisect_left(heard[fact.told], fact.at + SKEW):
                yield f"{receiver} was told without the log that {alert} is {status}", fact.sequence

    @property
    def count(self) -> int:
        """How many deliveries there were."""
        return len(self._heard)
