"""Whatever an alert and its receiver live through rightly, the checker is content; else it is not.

Histories are made by the real decider: commands of a person, timers, notices that are delivered,
fail, or get lost; each step is a commit, encoded and decoded.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import assume, given
from hypothesis import strategies as st

from actors.alert import ALERT, AcknowledgeAlert, FireAlert, ResolveAlert
from actors.base import Declined, Tick
from actors.intents import ReportEffect
from events.address import EntityAddress
from events.alert import Escalation
from events.effect import EffectIntended
from events.entity import CommandDeclined
from scenarios.checker.checker import Checker
from scenarios.checker.records import Delivery, Invoked, Returned
from tests.history import EPOCH, Recorder
from tests.memory_log import MemoryLog

if TYPE_CHECKING:
    from actors.base import Command
    from events.base import Event
    from events.commit import StoredCommit

ADDRESS = "alert/a"
RECEIVER = "ops"

happenings = st.lists(
    st.sampled_from(
        ["fire", "acknowledge", "resolve", "time", "deliver", "deliver silently", "fail", "ignore"]
    ),
    max_size=30,
)


@dataclass(slots=True)
class Life:
    """One alert, the person who gives it commands, and the receiver that its notices go to."""

    log: MemoryLog = field(default_factory=MemoryLog)
    recorder: Recorder = field(init=False)
    state: Any = ALERT.initial
    asked: list[tuple[Invoked, Returned]] = field(default_factory=list)
    ledger: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with an empty log."""
        self.recorder = Recorder(self.log)

    @property
    def stored(self) -> list[StoredCommit]:
        """All commits."""
        return self.log.stored

    @property
    def now(self) -> datetime:
        """When the last commit was, and one second more: when the next one will be."""
        return self.recorder.now + timedelta(seconds=1)

    def give(self, command: Command, principal: str = "person:ann") -> list[Event] | None:
        """Give a command; None where it was declined."""
        decision = ALERT.decide(self.state, command, self.now)
        if isinstance(decision, Declined):
            return None
        for event in decision:
            self.state = ALERT.evolve(self.state, event)
        if decision:
            asyncio.run(self.recorder.append(ADDRESS, *decision, principal=principal))
        return decision

    def ask(self, command: Command) -> None:
        """Give a command as a worker does, who writes down what came of it."""
        decision, name = self.give(command), type(command).__name__
        if decision is None:
            declined = CommandDeclined(command=name, reason="no")
            asyncio.run(self.recorder.append(ADDRESS, declined, principal="person:ann"))
        changes = decision != []
        command_id = f"command-{self.recorder.count:04d}" if changes else f"no-{len(self.asked)}"
        kind, outcome = ("fail", "declined") if decision is None else ("ok", "done")
        if decision == []:
            outcome = "unchanged"
        sequence = len(self.stored) if decision else 0
        invoked = Invoked(command_id, ADDRESS, name, 1.0)
        self.asked.append((invoked, Returned(kind, command_id, outcome, sequence, 2.0)))  # type: ignore[arg-type]

    def happen(self, what: str) -> None:
        """Let one thing happen; timers that are due come first."""
        self.be_on_time()
        match what:
            case "fire":
                escalation = Escalation(wait_seconds=20.0, repeats_max=1)
                self.ask(
                    FireAlert(
                        labels={"alertname": "A"},
                        severity="info",
                        receivers=(RECEIVER,),
                        escalation=escalation,
                    )
                )
            case "acknowledge":
                self.ask(AcknowledgeAlert(by="ann"))
            case "resolve":
                self.ask(ResolveAlert(reason="well"))
            case "time":
                self.let_pass()
            case _:
                self.carry_out(what)

    def be_on_time(self) -> None:
        """Let the timer do what is due by now."""
        while (due := ALERT.due(self.state)) is not None and due <= self.now:
            self.give(Tick(), "host:alert-host")

    def let_pass(self) -> None:
        """Let time pass until something is due, and the timer do it."""
        due = ALERT.due(self.state)
        if due is not None:
            self.recorder.now = max(self.recorder.now, due - timedelta(seconds=1))
            self.give(Tick(), "host:alert-host")

    def carry_out(self, how: str) -> None:
        """Let the notice that is on its way come to its end, or to none."""
        for intent in self.state.telling.intents.open if how != "ignore" else ():
            if self.now >= intent.deadline:
                continue  # an executor begins nothing any more
            if how != "fail":
                self.ledger.append(self.delivery_of(intent))
            outcome = {"deliver": "succeeded", "fail": "failed"}.get(how, "unknown")
            report = ReportEffect.model_validate({"number": intent.number, "outcome": outcome})
            self.give(report, "process:executor")

    def delivery_of(self, intent: Any) -> Delivery:
        """Give what the receiver writes down of a notice."""
        fence = next(
            stored.position.sequence
            for stored in self.stored
            for one in stored.envelopes()
            if isinstance(one.event, EffectIntended) and one.event.intent.number == intent.number
        )
        status = str(intent.arguments["status"])
        return Delivery(RECEIVER, f"{ADDRESS}#{intent.number}", fence, ADDRESS, status, self.now)

    def come_to_rest(self) -> None:
        """Let all be resolved, told, and over."""
        self.happen("resolve")
        while self.state.telling.intents.open or ALERT.due(self.state) is not None:
            self.carry_out("deliver")
            self.let_pass()

    def checked(
        self, commits: list[StoredCommit] | None = None, ledger: list[Delivery] | None = None
    ) -> Checker:
        """Give a checker that has seen it all, or what is given in its place."""
        checker = Checker()
        checker.journal((), EPOCH)
        checker.ledger(RECEIVER)
        for stored in self.stored if commits is None else commits:
            checker.commit(stored)
        for invoked, returned in self.asked:
            checker.invoked(invoked)
            checker.returned(returned)
        for delivery in self.ledger if ledger is None else ledger:
            checker.delivered(delivery)
        checker.end(self.now + timedelta(hours=1))
        return checker


def lived(history: list[str]) -> Life:
    """Live through a history to its end."""
    life = Life()
    for what in history:
        life.happen(what)
    life.come_to_rest()
    return life


@given(happenings)
def test_the_checker_is_content_with_whatever_was_lived_rightly(history: list[str]) -> None:
    assert lived(history).checked().violations == []


@given(happenings, st.data())
def test_a_commit_that_was_lost_or_stored_again_is_noticed(
    history: list[str], data: st.DataObject
) -> None:
    life = lived(["fire", *history])
    place = data.draw(st.integers(0, len(life.stored) - 1))
    without = life.stored[:place] + life.stored[place + 1 :]
    assert life.checked(without).violations != []
    twice = life.stored[: place + 1] + life.stored[place:]
    assert life.checked(twice).violations != []


@given(happenings, st.data())
def test_a_notice_that_was_never_heard_or_heard_twice_is_noticed(
    history: list[str], data: st.DataObject
) -> None:
    life = lived(["fire", "deliver", *history])
    place = data.draw(st.integers(0, len(life.ledger) - 1))
    twice = [*life.ledger, life.ledger[place]]
    assert life.checked(ledger=twice).violations != []
    assume("deliver silently" not in history)  # of what is unknown, both are right
    without = life.ledger[:place] + life.ledger[place + 1 :]
    assert life.checked(ledger=without).violations != []


def test_the_histories_hold_all_that_can_become_of_a_notice() -> None:
    life = lived(["fire", "deliver", "time", "fail", "time", "deliver silently", "resolve"])
    kinds = {type(one.event).__name__ for stored in life.stored for one in stored.envelopes()}
    assert {"EffectSucceeded", "EffectFailed", "EffectOutcomeUnknown", "AlertEscalated"} <= kinds
    assert EntityAddress.parse(ADDRESS) in life.checked().folding.states
