"""All choices about a recovery: what a command means, and what follows from it at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from actors.base import Command, Decision, Declined, Tick
from actors.intents import ReportEffect, ReportProgress, ended, progressed, unknown
from actors.recovery.commands import (
    ApproveRecovery,
    CancelRecovery,
    RejectRecovery,
    ReportServiceHealth,
    StartRecovery,
)
from actors.recovery.evolve import evolve
from actors.recovery.states import (
    Acted,
    Acting,
    Awaiting,
    Between,
    Ended,
    Plan,
    Recovery,
    Unplanned,
    Verifying,
)
from events.base import Event
from events.effect import EffectCancelRequested, EffectIntended
from events.recovery import (
    RecoveryApproved,
    RecoveryCancelled,
    RecoveryFailed,
    RecoveryPlanned,
    RecoveryRejected,
    RecoveryServiceReported,
    RecoveryStepActed,
    RecoveryStepBegan,
    RecoveryStepFailed,
    RecoveryStepVerified,
    RecoverySucceeded,
    Step,
)

REPEATABLE = frozenset({"process.restart", "process.start", "none"})
"""Effects that may be tried again although nobody knows how they ended."""


def decide(state: Recovery, command: Command, now: datetime) -> Decision:
    """Decide what a command means for the recovery, and what follows from it at once."""
    decision = _decide_command(state, command, now)
    if isinstance(decision, Declined):
        return decision
    events: list[Event] = list(decision)
    for event in decision:
        state = evolve(state, event)  # type: ignore[arg-type]  # only events of this kind
    while follow := _follow(state, now):
        events.extend(follow)
        for event in follow:
            state = evolve(state, event)  # type: ignore[arg-type]
    return events


def _decide_command(state: Recovery, command: Command, now: datetime) -> Decision:  # noqa: C901  (one match over all that can be asked)
    match state, command:
        case _, Tick():
            return _tick(state, now)
        case Unplanned(), StartRecovery() as wish:
            return [_planned(wish, now)]
        case _, StartRecovery():
            return []
        case Awaiting(), ApproveRecovery(by=by):
            return [RecoveryApproved(by=by)]
        case Awaiting(), RejectRecovery(by=by, reason=reason):
            return [RecoveryRejected(by=by, reason=reason)]
        case Unplanned(), (ApproveRecovery() | RejectRecovery() | CancelRecovery()):
            return Declined("there is no such recovery")
        case _, (ApproveRecovery() | RejectRecovery()):
            return Declined("the recovery does not wait for approval")
        case _, ReportEffect() as report:
            end = ended(state.intents, report)
            return end if isinstance(end, Declined) else [end]
        case _, ReportProgress() as report:
            step = progressed(state.intents, report)
            return step if isinstance(step, Declined) else [step]
        case _, CancelRecovery() as wish:
            return _cancel(state, wish)
        case _, ReportServiceHealth(service=service, healthy=healthy):
            return _reported(state, service, healthy=healthy)
        case _:
            return Declined(f"a recovery does not know {type(command).__name__}")


def _planned(wish: StartRecovery, now: datetime) -> RecoveryPlanned:
    until = now + timedelta(seconds=wish.approval_seconds)
    return RecoveryPlanned(
        incident=wish.incident,
        cause=wish.cause,
        steps=wish.steps,
        mode=wish.mode,
        executor=wish.executor,
        healthy=wish.healthy,
        planned_at=now,
        approval_until=until if wish.mode == "approval" else None,
    )


def _tick(state: Recovery, now: datetime) -> list[Event]:
    match state:
        case Awaiting(until=until) if until is not None and now >= until:
            return [RecoveryRejected(by="nobody", reason="nobody answered in time")]
        case Verifying(verify_until=until, step=step, plan=plan) if now >= until:
            service = plan.steps[step].service
            return [RecoveryStepFailed(step=step, reason=f"{service} is not healthy in time")]
        case _:
            return [unknown(intent) for intent in state.intents.overdue(now)]


def _cancel(state: Recovery, wish: CancelRecovery) -> Decision:
    match state:
        case Acting(intents=intents, cancelled_by="") if intents.open:
            number = intents.open[0].number
            return [EffectCancelRequested(number=number, reason=f"{wish.by}: {wish.reason}")]
        case Acting():
            return []
        case Awaiting() | Verifying():
            return [RecoveryCancelled(by=wish.by, reason=wish.reason)]
        case _:
            return Declined("the recovery does not run")


def _reported(state: Recovery, service: str, *, healthy: bool) -> Decision:
    if isinstance(state, Unplanned | Ended):
        return Declined("the recovery does not run")
    known = service in state.plan.healthy
    if known == healthy:
        return []
    return [RecoveryServiceReported(service=service, healthy=healthy)]


def _follow(state: Recovery, now: datetime) -> list[Event]:
    """Give what follows at once from a state that nobody has to wait in."""
    match state:
        case Verifying(plan=plan, step=step) if plan.steps[step].service in plan.healthy:
            return [RecoveryStepVerified(step=step, service=plan.steps[step].service)]
        case Acted():
            return [_after_acted(state, now)]
        case Between(plan=plan, step=step) if step >= len(plan.steps):
            return [_succeeded(plan, now)]
        case Between(plan=plan, step=step) if plan.steps[step].service in plan.healthy:
            return [RecoveryStepVerified(step=step, service=plan.steps[step].service)]
        case Between(plan=plan, step=step, attempt=attempt):
            return _begin(state, plan.steps[step], step, attempt + 1, now)
        case _:
            return []


def _succeeded(plan: Plan, now: datetime) -> RecoverySucceeded:
    took_seconds = max(0.0, (now - plan.planned_at).total_seconds())
    return RecoverySucceeded(took_seconds=took_seconds)


def _begin(state: Between, step: Step, index: int, attempt: int, now: datetime) -> list[Event]:
    if attempt > step.attempts_max:
        return [RecoveryFailed(reason=f"{step.service} is not healthy after {attempt - 1} tries")]
    began = RecoveryStepBegan(step=index, service=step.service, attempt=attempt)
    if step.effect == "none" or (step.wait_first and attempt == 1):
        until = now + timedelta(seconds=step.verify_seconds)
        return [began, RecoveryStepActed(step=index, verify_until=until, detail="waiting")]
    return [began, _intended(state, step, attempt, now)]


def _intended(state: Between, step: Step, attempt: int, now: datetime) -> EffectIntended:
    return state.intents.wish(
        step.effect,
        state.plan.executor,
        now + timedelta(seconds=step.timeout_seconds),
        {"service": step.service, "verify_seconds": step.verify_seconds, **step.arguments},
        attempt=attempt,
    )


def _after_acted(state: Acted, now: datetime) -> Event:
    step = state.plan.steps[state.step]
    if state.cancelled_by:
        return RecoveryCancelled(by=state.cancelled_by, reason=f"{state.end}: {state.detail}")
    if state.end == "succeeded":
        until = now + timedelta(seconds=step.verify_seconds)
        return RecoveryStepActed(step=state.step, verify_until=until, detail=state.detail)
    if state.end == "unknown" and step.effect not in REPEATABLE:
        reason = f"nobody knows whether {step.effect} on {step.service} happened; look yourself"
        return RecoveryFailed(reason=reason, outcome_unknown=True)
    return RecoveryStepFailed(step=state.step, reason=f"{state.end}: {state.detail}")
