"""Telling: each receiver hears firing and resolved in turn, and ends with resolved."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime

from actors.intents import Intents, unknown
from events.base import Event, Value
from events.effect import (
    EffectCancelRequested,
    EffectEvent,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectProgressed,
    EffectSucceeded,
    Intent,
)

NOTICE_SECONDS = 15.0
RETRY_SECONDS_FIRST = 1.0
RETRY_SECONDS_MAX = 60.0
ATTEMPTS_MAX = 10

Status = Literal["firing", "resolved"]


class Notice(Value):
    """What is to be said: of which episode of the alert, at which level of escalation."""

    episode: int
    status: Status
    level: int = 0

    @property
    def key(self) -> str:
        """What is the same however often this notice is tried."""
        return f"{self.episode}-{self.status}-{self.level}"


class Receiver(Value):
    """One receiver: what it heard last, what is on its way, and when to try again."""

    name: str
    told: Notice | None = None
    may_know: int = 0
    sending: int = 0
    sent: Notice | None = None
    attempt: int = 0
    retry_at: AwareDatetime | None = None
    given_up: Notice | None = None

    def afresh(self) -> Receiver:
        """Give the receiver when something else is to be said: no try of it was made yet."""
        return self.model_copy(update={"retry_at": None, "attempt": 0})

    def owed_end(self) -> Notice | None:
        """Give the end that the receiver must hear of what it may know of, unless it has."""
        ends = [one for one in (self.told, self.given_up) if one and one.status == "resolved"]
        if not self.may_know or any(end.episode == self.may_know for end in ends):
            return None
        if self.sent and (self.sent.episode, self.sent.status) == (self.may_know, "resolved"):
            return self.sent
        return Notice(episode=self.may_know, status="resolved")


class Telling(Value):
    """Who is to hear what, and what is known of their having heard it.

    `names` are those who are to hear of this episode; others only hear the end of what they know.
    """

    episode: int = 0
    names: tuple[str, ...] = ()
    wanted: Notice | None = None
    executor: str = "executor"
    receivers: tuple[Receiver, ...] = ()
    intents: Intents = Intents()

    def for_episode(self, names: tuple[str, ...], executor: str) -> Telling:
        """Give the telling of a new episode. Old receivers stay until they heard its end."""
        kept = [one for one in self.receivers if one.name in names or one.sending or one.owed_end()]
        known = {receiver.name for receiver in kept}
        fresh = [Receiver(name=name) for name in dict.fromkeys(names) if name not in known]
        episode = self.episode + 1
        return Telling(
            episode=episode,
            names=names,
            wanted=Notice(episode=episode, status="firing"),
            executor=executor,
            receivers=(*[receiver.afresh() for receiver in kept], *fresh),
            intents=self.intents,
        )

    def wanting(self, status: Status, level: int) -> Telling:
        """Give the telling when something else is to be said of this episode."""
        wanted = Notice(episode=self.episode, status=status, level=level)
        receivers = tuple(receiver.afresh() for receiver in self.receivers)
        return self.model_copy(update={"wanted": wanted, "receivers": receivers})

    def having_told(self, names: tuple[str, ...], status: Status) -> Telling:
        """Give the telling when some have heard by another way what is to be said now."""
        assert self.wanted is not None, "something is to be said"
        told = {"told": self.wanted}
        knows = {"may_know": self.episode} if status == "firing" else {}
        receivers = tuple(
            one.model_copy(update=told | knows) if one.name in names else one
            for one in self.receivers
        )
        return self.model_copy(update={"receivers": receivers})

    def with_retry(self, end: EffectFailed, now: datetime) -> EffectFailed:
        """Say in the failure itself when the notice is tried again."""
        receiver = self._sender(end.number)
        if end.permanent or receiver is None or receiver.attempt >= ATTEMPTS_MAX:
            return end
        seconds = min(RETRY_SECONDS_MAX, RETRY_SECONDS_FIRST * 2 ** (receiver.attempt - 1))
        return end.model_copy(update={"retry_at": now + timedelta(seconds=seconds)})

    def due(self) -> datetime | None:
        """Give when a notice is tried again, or given up as unknown."""
        retries = [one.retry_at for one in self.receivers if _next_notice(self, one) is not None]
        moments = [*retries, self.intents.due()]
        return min((moment for moment in moments if moment is not None), default=None)

    def _sender(self, number: int) -> Receiver | None:
        return next((one for one in self.receivers if one.sending == number), None)


def plan_notices(telling: Telling, now: datetime) -> list[Event]:
    """Give the intents for all who must hear something now and have nothing on its way."""
    notices: list[Event] = []
    for receiver in telling.receivers:
        notice = _next_notice(telling, receiver)
        if notice is not None and _may_hear(receiver, notice, now):
            notices.append(_intend(telling, receiver, notice, len(notices) + 1, now))
    return notices


def _next_notice(telling: Telling, receiver: Receiver) -> Notice | None:
    """Give what a receiver must hear next: the end of what it knows comes before anything new."""
    wanted, end = telling.wanted, receiver.owed_end()
    if wanted is None:
        return None
    if end is not None and end.episode != wanted.episode:
        return end
    if wanted.status == "resolved":
        return None if end is None else wanted
    return wanted if receiver.name in telling.names else None


def _may_hear(receiver: Receiver, notice: Notice, now: datetime) -> bool:
    if receiver.sending or notice in (receiver.told, receiver.given_up):
        return False
    return receiver.retry_at is None or now >= receiver.retry_at


def _intend(
    telling: Telling, receiver: Receiver, wanted: Notice, offset: int, now: datetime
) -> EffectIntended:
    again = receiver.sent == wanted
    return telling.intents.wish(
        "notify",
        telling.executor,
        now + timedelta(seconds=NOTICE_SECONDS),
        {
            "receiver": receiver.name,
            "status": wanted.status,
            "episode": wanted.episode,
            "level": wanted.level,
            "key": wanted.key,
        },
        attempt=receiver.attempt + 1 if again else 1,
        offset=offset,
    )


def retried(telling: Telling, now: datetime) -> list[Event]:
    """Give the ends of notices whose executor fell silent; they are planned anew after it."""
    return [unknown(intent) for intent in telling.intents.overdue(now)]


def evolve_telling(telling: Telling, event: EffectEvent) -> Telling:
    """Give the telling after an event of one of its notices."""
    receivers = tuple(_evolve_receiver(receiver, event) for receiver in telling.receivers)
    return telling.model_copy(
        update={"receivers": receivers, "intents": telling.intents.after(event)}
    )


def _evolve_receiver(receiver: Receiver, event: EffectEvent) -> Receiver:
    match event:
        case EffectIntended(intent=intent) if intent.arguments["receiver"] == receiver.name:
            return _sending(receiver, intent)
        case EffectIntended() | EffectProgressed() | EffectCancelRequested():
            return receiver
        case _ if event.number != receiver.sending:
            return receiver
        case EffectSucceeded():
            update = {"sending": 0, "told": receiver.sent, "attempt": 0, "retry_at": None}
            return receiver.model_copy(update=update | _may_know(receiver))
        case EffectFailed(retry_at=retry_at):
            given_up = receiver.sent if retry_at is None else None
            return receiver.model_copy(
                update={"sending": 0, "retry_at": retry_at, "given_up": given_up}
            )
        case EffectOutcomeUnknown():
            given_up = receiver.sent if receiver.attempt >= ATTEMPTS_MAX else None
            update = {"sending": 0, "given_up": given_up}
            return receiver.model_copy(update=update | _may_know(receiver))
        case _:
            return receiver.model_copy(update={"sending": 0, "given_up": receiver.sent})


def _sending(receiver: Receiver, intent: Intent) -> Receiver:
    arguments = intent.arguments
    notice = Notice.model_validate({name: arguments[name] for name in Notice.model_fields})
    return receiver.model_copy(
        update={
            "sending": intent.number,
            "sent": notice,
            "attempt": intent.attempt,
            "retry_at": None,
        }
    )


def _may_know(receiver: Receiver) -> dict[str, int]:
    """What was sent, or may have been, makes a later resolved necessary."""
    if receiver.sent is None or receiver.sent.status != "firing":
        return {}
    return {"may_know": receiver.sent.episode}
