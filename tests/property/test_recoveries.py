"""No history leaves a recovery without an end, or lets it believe what is older than its act."""

from __future__ import annotations

from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from actors.base import Tick
from actors.intents import ReportEffect
from actors.recovery import (
    RECOVERY,
    CancelRecovery,
    ReportKnownHealth,
    ReportServiceHealth,
    ReportSightLost,
    StartRecovery,
)
from events.effect import (
    EffectIntended,
)
from events.recovery import (
    RecoveryServiceReported,
    RecoveryStepActed,
    RecoveryStepVerified,
    RecoverySucceeded,
    Step,
)
from tests.living import QUIET, Life, check_intents


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
        st.tuples(st.just("unseen"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("known"), st.sampled_from(["", "a", "b", "ab"])),
        st.tuples(st.just("time"), st.sampled_from(["5", "15", "40"])),
        st.tuples(st.just("cancel"), st.just("ann")),
    ),
    max_size=40,
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
        case "unseen":
            life.give(ReportSightLost(service=argument))
        case "known":
            as_of = getattr(life.state, "verify_until", life.now)
            life.give(ReportKnownHealth(as_of=as_of, healthy=tuple(argument)))
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
    check_proofs(life, steps)
    assert sum(isinstance(one, EffectIntended) for one in life.events) <= sum(
        one.attempts_max for one in steps
    )


def check_proofs(life: Life, steps: list[Step]) -> None:
    """Whatever is proven was reported healthy since its step acted, and all is when it succeeds."""
    healthy: set[str] = set()
    for event in life.events:
        match event:
            case RecoveryStepActed(step=step):
                healthy.discard(steps[step].service)
            case RecoveryServiceReported(service=service, healthy=True):
                healthy.add(service)
            case RecoveryServiceReported(service=service):
                healthy.discard(service)
            case RecoveryStepVerified(service=service):
                assert service in healthy
            case RecoverySucceeded():
                assert healthy >= {step.service for step in steps}
            case _:
                pass
