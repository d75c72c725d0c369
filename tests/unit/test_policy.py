"""A policy is an entity: what it read, what it ordered, and what was answered are its events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actors.base import Declined, Tick
from actors.policies import POLICIES
from actors.policies.base import Conclusion, Consider, Observe, StartPolicy, decider_of
from actors.policies.correlate import CORRELATE
from events.base import Position
from events.policy import CauseQuarantined, PolicyAdvanced
from events.service import ServiceWentDown
from tests.correlating import DECIDER, EVIDENCE, Correlating, envelope, position
from tests.deciding import NOW

WENT_DOWN = ServiceWentDown(was="", since=NOW, check="", reason="", evidence=EVIDENCE)


def observe(sequence: int, delivered: int = 0) -> Observe:
    read = envelope("service/db", WENT_DOWN, sequence, NOW)
    return Observe.model_construct(envelope=read, delivered=delivered)


def fold(decider: Any, state: Any, decision: Any) -> Any:
    for event in decision:
        state = decider.evolve(state, event)
    return state


def test_a_new_policy_is_silent_about_what_was_before_it() -> None:
    state = fold(
        DECIDER,
        DECIDER.initial,
        DECIDER.decide(DECIDER.initial, StartPolicy(position=position(9)), NOW),
    )
    assert (state.position, state.silent_until) == (position(0), 9)
    assert DECIDER.decide(state, StartPolicy(position=position(99)), NOW) == []
    decision = DECIDER.decide(state, observe(9), NOW)
    assert isinstance(decision, list)
    assert [type(event).__name__ for event in decision][:1] == ["SymptomSeen"]
    assert isinstance(decision[-1], PolicyAdvanced)
    assert decision[-1].orders == ()
    state = fold(DECIDER, state, decision)
    assert state.knows.symptoms["db"].incident == "db-9"
    assert state.outbox == ()


def test_orders_are_numbered_without_gaps_and_leave_when_answered() -> None:
    world = Correlating({"a": (), "b": (), "c": ()})
    world.down("a", "b")
    assert [order.number for order in world.state.outbox] == [2]
    assert world.state.last_number == 2
    world.down("c")
    assert [order.number for order in world.state.outbox] == [3]


def test_an_order_that_is_not_answered_stays_and_holds_nothing_else() -> None:
    state = DECIDER.initial
    answers: dict[int, tuple[int, tuple[int, ...]]] = {1: (0, ()), 2: (0, ()), 3: (2, (1,))}
    for sequence, (delivered, left) in answers.items():
        read = envelope(f"service/s{sequence}", WENT_DOWN, sequence, NOW)
        command = Observe.model_construct(envelope=read, delivered=delivered, left=left)
        state = fold(DECIDER, state, DECIDER.decide(state, command, NOW))
    assert [order.number for order in state.outbox] == [1, 3]
    assert (state.delivered, state.last_number) == (2, 3)


def test_an_event_of_a_commit_is_read_once_by_its_index() -> None:
    world = Correlating({"db": ()})
    world.down("db")
    sequence = world.sequence
    assert DECIDER.decide(world.state, observe(sequence), NOW) == []
    read = replace(envelope("service/x", WENT_DOWN, sequence, NOW), index=1)
    second = Observe.model_construct(envelope=read, delivered=0)
    decision = DECIDER.decide(world.state, second, NOW)
    assert isinstance(decision, list)
    assert isinstance(decision[-1], PolicyAdvanced)
    assert (decision[-1].sequence, decision[-1].index) == (sequence, 1)


@pytest.mark.parametrize("where", ["observe", "evolve"])
def test_an_error_over_one_event_leaves_that_event_out(where: str) -> None:
    def broken(*_arguments: object) -> Conclusion:
        raise RuntimeError("a bug " * 200)

    observing = {"observe": broken, "evolve": CORRELATE.evolve}
    evolving = {"observe": CORRELATE.observe, "evolve": broken}
    functions: dict[str, Any] = observing if where == "observe" else evolving
    policy = replace(CORRELATE, **functions)
    decider = decider_of(policy)
    state = Correlating({}).state
    decision = decider.decide(state, observe(50), NOW)
    assert not isinstance(decision, Declined)
    quarantined, advanced = decision
    assert isinstance(quarantined, CauseQuarantined)
    assert quarantined.cause_id == "commit-50.0"
    assert len(quarantined.error) == 500
    assert isinstance(advanced, PolicyAdvanced)
    assert (advanced.sequence, advanced.orders) == (50, ())
    assert fold(decider, state, decision).knows == state.knows


def test_what_a_policy_does_not_know_is_declined() -> None:
    assert isinstance(DECIDER.decide(DECIDER.initial, Tick(), NOW), Declined)


def test_every_policy_has_an_id_of_its_own_and_reads_something() -> None:
    assert len({policy.id for policy in POLICIES}) == len(POLICIES)
    assert all(policy.causes and policy.title for policy in POLICIES)


def test_a_policy_goes_on_and_never_back_whichever_life_of_the_log_had_its_place_first() -> None:
    world = Correlating({"a": (), "b": ("a",)})
    world.down("b")
    behind, ahead = Position("L", 2, 0), Position("L", 2, 1_000)
    now = world.picture.symptoms["b"].settles_at
    for read, reached in ((behind, world.state.position), (ahead, ahead)):
        decision = DECIDER.decide(world.state, Consider(position=read, index=0, delivered=0), now)
        assert fold(DECIDER, world.state, decision).position == reached
