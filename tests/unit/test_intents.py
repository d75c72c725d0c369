"""An intent is open until its one end, and overdue when its executor must have stopped."""

from __future__ import annotations

import pytest

from actors.base import Declined
from actors.intents import SKEW, Intents, ReportEffect, ReportProgress, ended, progressed, unknown
from events.effect import EffectCancelRequested, EffectProgressed
from tests.deciding import NOW, later


def wished(count: int) -> Intents:
    intents = Intents()
    for _ in range(count):
        intents = intents.after(intents.wish("notify", "executor", later(10), {"to": "ops"}))
    return intents


def report(outcome: str, number: int = 1) -> ReportEffect:
    return ReportEffect.model_validate({"number": number, "outcome": outcome, "detail": "why"})


def test_numbers_rise_and_never_come_again() -> None:
    intents = wished(2)
    assert [intent.number for intent in intents.open] == [1, 2]
    end = ended(intents, report("succeeded", 2))
    assert not isinstance(end, Declined)
    intents = intents.after(end)  # type: ignore[arg-type]
    assert (intents.last, [intent.number for intent in intents.open]) == (2, [1])
    assert intents.wish("x", "e", NOW, {}).intent.number == 3


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        ("succeeded", "EffectSucceeded"),
        ("failed", "EffectFailed"),
        ("cancelled", "EffectCancelled"),
        ("unknown", "EffectOutcomeUnknown"),
    ],
)
def test_each_outcome_is_a_fact_and_the_second_one_is_declined(outcome: str, name: str) -> None:
    intents = wished(1)
    end = ended(intents, report(outcome))
    assert type(end).__name__ == name
    after = intents.after(end)  # type: ignore[arg-type]
    assert after.open == ()
    again = ended(after, report("succeeded"))
    assert again == Declined("intent 1 is not open: it has its end already")


def test_it_is_overdue_only_when_the_clocks_may_not_differ_that_much() -> None:
    intents = wished(1)
    assert intents.due() == later(10) + SKEW
    assert intents.overdue(later(11.9)) == ()
    (overdue,) = intents.overdue(later(12))
    assert "said nothing until the deadline and 2 s after it" in unknown(overdue).reason
    assert Intents().due() is None


def test_a_wish_to_stop_ends_nothing() -> None:
    intents = wished(2).after(EffectCancelRequested(number=1, reason="x"))
    assert (intents.cancelled, len(intents.open)) == ((1,), 2)
    end = ended(intents, report("cancelled"))
    assert intents.after(end).cancelled == ()  # type: ignore[arg-type]


def test_progress_is_of_open_intents_only() -> None:
    intents = wished(1)
    step = progressed(intents, ReportProgress(number=1, step="stopped", fraction=0.5))
    assert step == EffectProgressed(number=1, step="stopped", fraction=0.5)
    assert intents.after(step) == intents
    assert isinstance(progressed(intents, ReportProgress(number=2, step="x")), Declined)
