"""No history of commands makes a decider raise, lose a state, or leave a receiver in doubt."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.alert import ALERT, AcknowledgeAlert, FireAlert, ResolveAlert
from actors.base import Command, Decider, Declined, Tick
from actors.deciders import DECIDERS
from actors.intents import ReportEffect
from actors.recovery import RECOVERY, CancelRecovery, ReportServiceHealth, StartRecovery
from events.alert import Escalation
from events.codec import decode_event
from events.commit import fact_of
from events.effect import (
    EffectCancelled,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectSucceeded,
    Intent,
)
from events.recovery import Step
from tests.drawing import EPOCH, histories

if TYPE_CHECKING:
    from events.base import Event

ENDS = (EffectSucceeded, EffectFailed, EffectCancelled, EffectOutcomeUnknown)
QUIET = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class Life:
    """One entity through a history; every step is checked."""

    def __init__(self, decider: Decider[Any]) -> None:
        self.decider, self.state, self.now = decider, decider.initial, EPOCH
        self.events: list[Event] = []

    def give(self, command: Command, seconds: float = 0.0) -> list[Event]:
        """Let time pass, give a command, and take in what comes of it."""
        self.now += timedelta(seconds=seconds)
        decision = self.decider.decide(self.state, command, self.now)
        if isinstance(decision, Declined):
            assert decision.reason
            return []
        for event in decision:
            assert isinstance(event, self.decider.events)
            fact = fact_of(event, 0)
            assert decode_event(fact.type, fact.data) == event
            self.state = self.decider.evolve(self.state, event)
        kept = self.decider.states.dump_json(self.state)
        assert self.decider.states.validate_json(kept) == self.state
        due = self.decider.due(self.state)
        assert due is None or due.tzinfo is not None
        self.events += decision
        return decision

    def let_all_pass(self, ticks_max: int = 400) -> None:
        """Tick whenever something is due, until nothing is."""
        for _ in range(ticks_max):
            due = self.decider.due(self.state)
            if due is None:
                return
            self.now = max(self.now, due)
            before = self.state
            self.give(Tick())
            assert self.state != before, "what is due must change something, or it is due for ever"
        message = f"something is still due after {ticks_max} ticks: {self.state}"
        raise AssertionError(message)


@pytest.mark.parametrize("kind", sorted(DECIDERS))
@given(data=st.data())
@QUIET
def test_any_history_is_decided_evolved_and_kept(kind: str, data: st.DataObject) -> None:
    life = Life(DECIDERS[kind])
    for seconds, command in data.draw(histories(life.decider)):
        life.give(command, seconds)
    life.let_all_pass()
    check_intents(life)


def check_intents(life: Life) -> None:
    """Every intent has one end when all deadlines have passed, and numbers only rise."""
    numbers = [one.intent.number for one in life.events if isinstance(one, EffectIntended)]
    assert numbers == list(range(1, len(numbers) + 1))
    ends = Counter(one.number for one in life.events if isinstance(one, ENDS))
    assert ends == Counter(numbers)
    intents = life.decider.intents(life.state)
    assert intents is None or not intents.open


def step(service: str, **fields: Any) -> Step:
    given = {"effect": "process.restart", "timeout_seconds": 10.0, "verify_seconds": 20.0}
    return Step.model_validate({"service": service, **given, "attempts_max": 2, **fields})


plans = st.lists(
    st.builds(
        step,
        st.sampled_from(["a", "b"]),
        effect=st.sampled_from(["process.restart", "command.run", "none"]),
        wait_first=st.booleans(),
        attempts_max=st.integers(1, 3),
    ),
    min_size=1,
    max_size=3,
)
REPORTS = ("succeeded", "failed", "cancelled", "unknown")
modes = st.sampled_from(["automatic", "automatic", "approval", "shadow"])
happenings = st.lists(
    st.one_of(
        st.tuples(
            st.just("report"), st.sampled_from(["succeeded", "failed", "cancelled", "unknown"])
        ),
        st.tuples(st.just("healthy"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("down"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("time"), st.sampled_from(["5", "15", "40"])),
        st.tuples(st.just("cancel"), st.just("ann")),
    ),
    max_size=20,
)


def happen(life: Life, what: str, argument: str) -> None:
    match what:
        case "report":
            intents = life.decider.intents(life.state)
            number = intents.last if intents and intents.last else 1
            report = {"number": number, "outcome": argument, "detail": "test"}
            life.give(ReportEffect.model_validate(report))
        case "healthy" | "down":
            life.give(ReportServiceHealth(service=argument, healthy=what == "healthy"))
        case "cancel":
            life.give(CancelRecovery(by=argument, reason="test"))
        case _:
            life.give(Tick(), float(argument))


@given(plans, modes, happenings)
@QUIET
def test_a_recovery_comes_to_an_end_and_each_intent_to_one(
    steps: list[Step],
    mode: Literal["shadow", "approval", "automatic"],
    history: list[tuple[str, str]],
) -> None:
    life = Life(RECOVERY)
    life.give(
        StartRecovery(incident="i", cause="a", steps=tuple(steps), mode=mode, executor="executor")
    )
    for what, argument in history:
        happen(life, what, argument)
    life.let_all_pass()
    assert type(life.state).__name__ == "Ended"
    check_intents(life)
    assert sum(isinstance(one, EffectIntended) for one in life.events) <= sum(
        one.attempts_max for one in steps
    )


Outcome = Literal["succeeded", "failed", "unknown"]


class Ears:
    """The receivers of an alert, who hear what an executor says, and report how it went."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.heard: dict[str, list[tuple[str, int]]] = {}
        self.waiting: list[Intent] = []

    def give(self, command: Command, seconds: float = 0.0) -> None:
        """Give a command, and take in new notices."""
        for event in self.life.give(command, seconds):
            if isinstance(event, EffectIntended):
                self.waiting.append(event.intent)

    def report(self, outcome: Outcome, place: int = 0) -> None:
        """Let a notice come to its end; one that succeeded was heard."""
        if not self.waiting:
            return
        intent = self.waiting.pop(place % len(self.waiting))
        if outcome == "succeeded":
            told = (str(intent.arguments["status"]), int(str(intent.arguments["episode"])))
            self.heard.setdefault(str(intent.arguments["receiver"]), []).append(told)
        self.give(ReportEffect(number=intent.number, outcome=outcome, detail="test"))

    def let_all_come(self) -> None:
        """Let every notice be heard, and every retry be made, until nothing is wanted."""
        for _ in range(500):
            if self.waiting:
                self.report("succeeded")
                continue
            due = self.life.decider.due(self.life.state)
            if due is None:
                return
            self.give(Tick(), max(0.0, (due - self.life.now).total_seconds()))
        message = "notices without an end"
        raise AssertionError(message)


FIRE = {"labels": {"alertname": "A"}, "severity": "critical"}
stories = st.lists(
    st.one_of(
        st.tuples(st.just("fire"), st.sampled_from(["ops", "ops,boss", "boss"])),
        st.tuples(st.just("resolve"), st.just("")),
        st.tuples(st.just("acknowledge"), st.just("")),
        st.tuples(st.just("succeeded"), st.sampled_from(["0", "1"])),
        st.tuples(st.just("failed"), st.sampled_from(["0", "1"])),
        st.tuples(st.just("time"), st.sampled_from(["1", "8", "50"])),
    ),
    max_size=40,
)


def tell(ears: Ears, what: str, argument: str) -> None:
    match what:
        case "fire":
            escalation = Escalation(wait_seconds=30.0, repeats_max=2)
            receivers = tuple(argument.split(","))
            ears.give(
                FireAlert.model_validate({**FIRE, "receivers": receivers, "escalation": escalation})
            )
        case "resolve":
            ears.give(ResolveAlert(reason="mended"))
        case "acknowledge":
            ears.give(AcknowledgeAlert(by="ann"))
        case "succeeded" | "failed":
            ears.report("succeeded" if what == "succeeded" else "failed", int(argument))
        case _:
            # a deadline of a notice must not pass here: then nobody knows what was heard
            seconds = float(argument)
            if not ears.waiting:
                ears.give(Tick(), seconds)


@given(stories)
@QUIET
def test_firing_and_resolved_alternate_for_each_receiver_and_end_resolved(
    story: list[tuple[str, str]],
) -> None:
    ears = Ears(Life(ALERT))
    for what, argument in story:
        tell(ears, what, argument)
    ears.let_all_come()
    ears.give(ResolveAlert(reason="the end"))
    ears.let_all_come()
    for receiver, heard in ears.heard.items():
        check_alternation(receiver, heard)
    check_intents(ears.life)


def check_alternation(receiver: str, heard: list[tuple[str, int]]) -> None:
    """Each episode is heard as firing, perhaps again, then as resolved once; then the next."""
    open_episode = 0
    for status, episode in heard:
        if status == "firing":
            assert open_episode in (0, episode), f"{receiver} heard {heard}"
            open_episode = episode
        else:
            assert open_episode == episode, f"{receiver} heard {heard}"
            open_episode = 0
    assert open_episode == 0, f"{receiver} was left with {heard}"


@given(stories)
@QUIET
def test_whoever_is_wanted_hears_of_what_fires_in_the_end(story: list[tuple[str, str]]) -> None:
    ears = Ears(Life(ALERT))
    for what, argument in story:
        tell(ears, what, argument)
    ears.give(ResolveAlert(reason="before the last"))
    ears.let_all_come()
    tell(ears, "fire", "ops,boss")
    ears.let_all_come()
    for receiver in ("ops", "boss"):
        assert ears.heard[receiver][-1][0] == "firing"
    last: datetime = ears.life.now
    assert last >= EPOCH
