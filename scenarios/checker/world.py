"""Third: the world agrees with the log: each wish has one end, and was done once and in time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from actors.alert import Resolved
from actors.intents import SKEW
from events.address import EntityAddress
from events.effect import (
    EffectCancelled,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectSucceeded,
    Intent,
)
from scenarios.checker.invariant import Invariant
from scenarios.checker.proofs import PROVEN, SUCCEEDED, Proofs
from scenarios.checker.told_without_log import ToldWithoutLog

if TYPE_CHECKING:
    from datetime import datetime

    from events.base import Event
    from scenarios.checker.invariant import Landed
    from scenarios.checker.records import Delivery

NOTIFY = "notify"
ENDED, DELIVERED, ACTED, IN_TIME = "ended", "delivered", "acted", "in time"
DENIED, ALTERNATING, TOLD_OVER = "denied", "alternating", "told it is over"
WITHOUT_LOG = "told without the log"
_ENDS = (EffectSucceeded, EffectFailed, EffectCancelled, EffectOutcomeUnknown)


@dataclass(slots=True)
class _Wish:
    """An intent, where it was committed, how it ended, and how often the world saw it."""

    entity: str
    intent: Intent
    sequence: int
    wished: datetime
    end: Event | None = None
    ended: datetime | None = None
    deliveries: int = 0

    @property
    def name(self) -> str:
        """What it is called in the log."""
        return f"{self.entity}#{self.intent.number}"

    @property
    def subject(self) -> str:
        """What the world should see it done to."""
        if self.intent.effect == NOTIFY:
            return self.entity
        return str(self.intent.arguments.get("service", self.entity))

    @property
    def about(self) -> str:
        """What was to be done, and to whom."""
        to = self.text("receiver") if self.intent.effect == NOTIFY else self.subject
        return f"{self.intent.effect} of {to}"

    def text(self, name: str) -> str:
        """Give an argument as text."""
        return str(self.intent.arguments.get(name, ""))


@dataclass(slots=True)
class World(Invariant):
    """Holds the receivers' ledgers against the intents. Clocks may differ by `skew`."""

    name: ClassVar[str] = "world"
    claims: ClassVar[tuple[str, ...]] = (
        ENDED,
        DELIVERED,
        ACTED,
        IN_TIME,
        DENIED,
        ALTERNATING,
        TOLD_OVER,
        WITHOUT_LOG,
        PROVEN,
        SUCCEEDED,
    )
    skew: timedelta = SKEW
    _wishes: dict[tuple[str, int], _Wish] = field(default_factory=dict)
    _by_fence: dict[int, list[_Wish]] = field(default_factory=lambda: defaultdict(list))
    _open: dict[tuple[str, int], _Wish] = field(default_factory=dict)
    _notices: dict[tuple[str, str], list[_Wish]] = field(default_factory=lambda: defaultdict(list))
    _early: list[Delivery] = field(default_factory=list)
    _heard: dict[tuple[str, str], list[tuple[int, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    receivers: set[str] = field(default_factory=set)
    """Those whose ledgers are known: only of them is it known what they did not see."""
    _actions: set[str] = field(default_factory=set)
    _unwished: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    _without_log: ToldWithoutLog = field(default_factory=ToldWithoutLog)
    _proofs: Proofs = field(default_factory=Proofs)

    def commit(self, landed: Landed) -> None:
        """Open an intent, or end it: once. What is said to be proven was seen."""
        for envelope in landed.envelopes:
            event = envelope.event
            self._without_log.note(envelope)
            for claim, why_not in self._proofs.note(envelope):
                self.exercise(claim)
                if why_not:
                    self.broken(landed.entity, landed.sequence, why_not)
            if isinstance(event, EffectIntended):
                self._wished(landed, event.intent)
            elif isinstance(event, _ENDS):
                self._ended(landed, event.number, event)

    def _wished(self, landed: Landed, intent: Intent) -> None:
        key = (landed.entity, intent.number)
        wish = _Wish(landed.entity, intent, landed.sequence, landed.stored.commit.decided)
        if key in self._wishes:
            self.broken(wish.name, landed.sequence, "it is wished under a number that was taken")
        self._wishes[key] = self._open[key] = wish
        self._by_fence[landed.sequence].append(wish)
        if intent.effect == NOTIFY:
            self._notices[landed.entity, wish.text("receiver")].append(wish)

    def _ended(self, landed: Landed, number: int, end: Event) -> None:
        wish = self._open.pop((landed.entity, number), None)
        if wish is None:
            known = self._wishes.get((landed.entity, number))
            what = "it has a second end" if known else "it ends and was never wished"
            self.broken(f"{landed.entity}#{number}", landed.sequence, what)
            return
        wish.end, wish.ended = end, landed.stored.commit.decided
        self.exercise(ENDED)

    def ledger(self, receiver: str) -> None:
        """Know of a receiver that what is not in its ledger it did not see."""
        self.receivers.add(receiver)

    def delivered(self, delivery: Delivery) -> None:
        """Hold a delivery against its intent; one whose commit was not read yet waits for it.

        A notice without a fence was told without the log; an action without one was done by
        whoever does such things of itself, as an executor that starts its children.
        """
        self.receivers.add(delivery.receiver)
        if delivery.fence in self._by_fence:
            self._match(delivery)
        elif delivery.fence:
            self._early.append(delivery)
        elif delivery.is_action:
            self._unwished[delivery.subject].append(delivery.time)
        else:
            self._without_log.delivered(delivery)

    def _match(self, delivery: Delivery) -> None:
        wish = self._wish_of(delivery)
        where = f"{delivery.receiver}: {delivery.key}"
        if wish is None:
            self.broken(where, delivery.fence, "it was done, and nobody wished it")
            return
        wish.deliveries += 1
        if wish.deliveries > 1:
            self.broken(where, delivery.fence, f"{wish.name} was done {wish.deliveries} times")
        self.exercise(IN_TIME)
        if delivery.time > wish.intent.deadline + self.skew:
            late = (delivery.time - wish.intent.deadline).total_seconds()
            what = f"{wish.name} was done {late:.1f} s after its deadline"
            self.broken(where, delivery.fence, what)
        if wish.intent.effect == NOTIFY:
            self._hear(delivery, wish)
        else:
            self._actions.add(wish.intent.effect)

    def _wish_of(self, delivery: Delivery) -> _Wish | None:
        for wish in self._by_fence.get(delivery.fence, ()):
            same = wish.subject == delivery.subject
            same = same and delivery.is_action == (wish.intent.effect != NOTIFY)
            if wish.intent.effect == NOTIFY:
                status = (wish.text("status"), wish.text("receiver"))
                same = same and status == (delivery.status, delivery.receiver)
            if same:
                return wish
        return None

    def _hear(self, delivery: Delivery, wish: _Wish) -> None:
        """Follow what a receiver hears of an alert; the same notice again is no news."""
        heard = self._heard[wish.entity, delivery.receiver]
        episode = int(wish.intent.arguments.get("episode") or 0)
        notice = (episode, delivery.status)
        if notice in heard[-1:]:
            return
        if heard:
            self.exercise(ALTERNATING)
        if heard and notice < heard[-1] and notice not in heard:
            what = f"it heard {delivery.status} of episode {episode} after {heard[-1]}"
            self.broken(f"{wish.entity} at {delivery.receiver}", wish.sequence, what)
        fires_again = delivery.status == "firing" and heard and heard[-1][1] == "firing"
        if fires_again and not self._was_given_up(delivery, wish, heard[-1][0]):
            what = f"episode {episode} fired while {heard[-1][0]} was not resolved"
            self.broken(f"{wish.entity} at {delivery.receiver}", wish.sequence, what)
        heard.append(notice)

    def _was_given_up(self, delivery: Delivery, wish: _Wish, episode: int) -> bool:
        """Say whether the log says that the end of an episode was tried and given up."""
        return any(
            isinstance(one.end, EffectFailed)
            and one.end.retry_at is None
            and (one.text("status"), one.text("episode")) == ("resolved", str(episode))
            for one in self._notices[wish.entity, delivery.receiver]
        )

    def end(self, now: datetime) -> None:
        """Nothing is open, what succeeded was seen, and whoever heard firing heard resolved."""
        for delivery in self._early:
            self._match(delivery)
        self._early.clear()
        self._compare_without_log()
        for wish in self._open.values():
            if now >= wish.intent.deadline + self.skew:
                self.broken(wish.name, wish.sequence, f"{wish.intent.effect} never came to an end")
        for wish in self._wishes.values():
            if self._is_witnessed(wish):
                self._compare(wish)
        for (alert, receiver), heard in self._heard.items():
            self._compare_last(alert, receiver, heard)

    def _compare_without_log(self) -> None:
        self.exercised[WITHOUT_LOG] += self._without_log.count
        for delivery in self._without_log.unknown_to_the_log():
            where = f"{delivery.receiver}: {delivery.key}"
            self.broken(where, 0, "it was told without the log, and the log does not know it")
        for what, sequence in self._without_log.never_heard(self.receivers):
            self.broken("platform", sequence, f"{what}, says the log, and never was")

    def _is_witnessed(self, wish: _Wish) -> bool:
        """Say whether somebody would have written it down if it was done."""
        if wish.intent.effect == NOTIFY:
            return wish.text("receiver") in self.receivers
        return wish.intent.effect in self._actions

    def _compare(self, wish: _Wish) -> None:
        """Hold an end against the ledgers; a failed action may have done a part of its work."""
        if isinstance(wish.end, EffectSucceeded):
            if self._was_done_meanwhile(wish):
                return
            self.exercise(DELIVERED if wish.intent.effect == NOTIFY else ACTED)
            if not wish.deliveries:
                what = f"{wish.about} is said to be done, and never was"
                self.broken(wish.name, wish.sequence, what)
        elif wish.intent.effect == NOTIFY and _denies(wish.end):
            self._compare_denied(wish)

    def _was_done_meanwhile(self, wish: _Wish) -> bool:
        """Say whether an action has nobody's key, and was done of itself while it was wished.

        An executor that is started anew starts the children that do not run, also one that its
        predecessor was about to.
        """
        if wish.deliveries or wish.intent.effect == NOTIFY or wish.ended is None:
            return False
        first, last = wish.wished - self.skew, wish.ended + self.skew
        return any(first <= time <= last for time in self._unwished[wish.subject])

    def _compare_denied(self, wish: _Wish) -> None:
        self.exercise(DENIED)
        if wish.deliveries:
            what = f"{wish.about} is said not to have been done, and was"
            self.broken(wish.name, wish.sequence, what)

    def _compare_last(self, alert: str, receiver: str, heard: list[tuple[int, str]]) -> None:
        state = self.folding.states.get(EntityAddress.parse(alert))
        if not isinstance(state, Resolved):
            return
        self.exercise(TOLD_OVER)
        if heard[-1][1] == "resolved":
            return
        last = self._notices[alert, receiver][-1]
        given_up = isinstance(last.end, EffectFailed | EffectOutcomeUnknown)
        if last.text("status") == "resolved" and given_up:
            return  # the log says that it was tried to the end
        what = "it was told of firing, and never that it is over"
        self.broken(f"{alert} at {receiver}", last.sequence, what)


def _denies(end: Event | None) -> bool:
    """Say whether an end says that nothing was done."""
    return isinstance(end, EffectFailed) or (isinstance(end, EffectCancelled) and end.undone)
