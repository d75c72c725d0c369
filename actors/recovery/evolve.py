"""The state of a recovery after each event, without any choice."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, assert_never

from actors.intents import Intents
from actors.recovery.states import (
    Acted,
    Acting,
    Awaiting,
    Between,
    Ended,
    Plan,
    Recovery,
    Running,
    Unplanned,
    Verifying,
)
from events.effect import (
    EffectCancelled,
    EffectCancelRequested,
    EffectEvent,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectSucceeded,
)
from events.recovery import (
    RecoveryApproved,
    RecoveryCancelled,
    RecoveryEvent,
    RecoveryFailed,
    RecoveryPlanned,
    RecoveryRejected,
    RecoveryServiceReported,
    RecoveryStepActed,
    RecoveryStepBegan,
    RecoveryStepFailed,
    RecoveryStepVerified,
    RecoverySucceeded,
)

End = Literal["succeeded", "failed", "unknown", "cancelled"]


def evolve(state: Recovery, event: RecoveryEvent | EffectEvent) -> Recovery:  # noqa: C901  (one match over all of it)
    """Give the state after an event."""
    match event:
        case RecoveryPlanned():
            return _after_planned(event, state.intents)
        case RecoveryApproved():
            assert isinstance(state, Awaiting), "only what waits is approved"
            return Between(plan=state.plan, step=0, attempt=0, intents=state.intents)
        case RecoveryServiceReported(service=service, healthy=healthy):
            return _after_report(state, service, healthy=healthy)
        case RecoveryStepBegan(step=step, attempt=attempt):
            return _begun(state, step, attempt)
        case RecoveryStepActed(step=step, verify_until=until):
            return _verifying(state, step, until)
        case RecoveryStepVerified(step=step):
            return _between(state, step + 1, 0)
        case RecoveryStepFailed(step=step):
            return _after_failure(state, step)
        case RecoverySucceeded():
            return Ended(outcome="succeeded", intents=state.intents)
        case RecoveryFailed():
            return Ended(outcome="failed", intents=state.intents)
        case RecoveryRejected():
            return Ended(outcome="rejected", intents=state.intents)
        case RecoveryCancelled():
            return Ended(outcome="cancelled", intents=state.intents)
        case _:
            return _after_effect(state, event)


def _after_planned(event: RecoveryPlanned, intents: Intents) -> Recovery:
    plan = Plan(
        incident=event.incident,
        cause=event.cause,
        steps=event.steps,
        mode=event.mode,
        executor=event.executor,
        planned_at=event.planned_at,
        healthy=frozenset(event.healthy),
    )
    match event.mode:
        case "automatic":
            return Between(plan=plan, step=0, attempt=0, intents=intents)
        case "approval":
            return Awaiting(plan=plan, until=event.approval_until, intents=intents)
        case "shadow":
            return Ended(outcome="shadow", intents=intents)
    assert_never(event.mode)


def _after_report(state: Recovery, service: str, *, healthy: bool) -> Recovery:
    if isinstance(state, Unplanned | Ended):
        return state
    known = state.plan.healthy
    changes = {
        "healthy": known | {service} if healthy else known - {service},
        "awaited": {name: one for name, one in state.plan.awaited.items() if name != service},
    }
    return state.model_copy(update={"plan": state.plan.model_copy(update=changes)})


def _between(state: Recovery, step: int, attempt: int) -> Between:
    assert isinstance(state, Running), "only what runs has steps"
    return Between(plan=state.plan, step=step, attempt=attempt, intents=state.intents)


def _begun(state: Recovery, step: int, attempt: int) -> Between:
    between = _between(state, step, attempt)
    most = max(attempt, between.plan.tries.get(step, 0))
    plan = between.plan.model_copy(update={"tries": {**between.plan.tries, step: most}})
    return between.model_copy(update={"plan": plan})


def _after_failure(state: Recovery, step: int) -> Between:
    """Try the step again; where it is an earlier one, begin it anew, and leave this unproven."""
    assert isinstance(state, Running), "only what runs has steps that fail"
    if step == state.step:
        return _between(state, step, state.attempt)
    if isinstance(state, Verifying):
        service = state.plan.steps[state.step].service
        state = state.model_copy(update={"plan": state.plan.without_health_of(service)})
    return _between(state, step, 0)


def _verifying(state: Recovery, step: int, until: datetime) -> Verifying:
    """Drop what was known of the service before: the proof must be newer than the act."""
    assert isinstance(state, Running), "only what runs is verified"
    service = state.plan.steps[step].service
    plan = state.plan.without_health_of(service)
    return Verifying(
        plan=plan.model_copy(update={"awaited": {**plan.awaited, service: until}}),
        step=step,
        attempt=state.attempt,
        verify_until=until,
        intents=state.intents,
    )


def _after_effect(state: Recovery, event: EffectEvent) -> Recovery:
    intents = state.intents.after(event)
    match state, event:
        case Between(), EffectIntended():
            return Acting(plan=state.plan, step=state.step, attempt=state.attempt, intents=intents)
        case Acting(), EffectCancelRequested(reason=reason):
            return state.model_copy(update={"cancelled_by": reason, "intents": intents})
        case Acting(), EffectSucceeded(detail=detail):
            return _acted(state, "succeeded", detail, intents)
        case Acting(), EffectFailed(reason=reason):
            return _acted(state, "failed", reason, intents)
        case Acting(), EffectCancelled(reason=reason):
            return _acted(state, "cancelled", reason, intents)
        case Acting(), EffectOutcomeUnknown(reason=reason):
            return _acted(state, "unknown", reason, intents)
        case _:
            return state.model_copy(update={"intents": intents})


def _acted(state: Acting, end: End, detail: str, intents: Intents) -> Acted:
    return Acted(
        plan=state.plan,
        step=state.step,
        attempt=state.attempt,
        end=end,
        detail=detail,
        cancelled_by=state.cancelled_by,
        intents=intents,
    )
