"""No history of commands makes a decider raise, lose a state, or leave a receiver in doubt."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.alert import ALERT, AcknowledgeAlert, FireAlert, ResolveAlert
from actors.base import Command, Tick
from actors.deciders import DECIDERS
from actors.intents import ReportEffect
from events.alert import Escalation
from events.effect import (
    EffectIntended,
    Intent,
)
from tests.drawing import EPOCH, histories
from tests.living import QUIET, Life, check_intents


@pytest.mark.parametrize("kind", sorted(DECIDERS))
@given(data=st.data())
@QUIET
def test_any_history_is_decided_evolved_and_kept(kind: str, data: st.DataObject) -> None:
    life = Life(DECIDERS[kind])
    for seconds, command in data.draw(histories(life.decider)):
        life.give(command, seconds)
    life.let_all_pass()
    check_intents(life)


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
