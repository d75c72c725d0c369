"""All choices about a recovery: what a command means, and what follows from it at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from actors.base import Command, Decision, Declined, Tick
from actors.intents import ReportEffect, ReportProgress, ended, progressed, unknown
from actors.recovery.commands import (
    ApproveRecovery,
    CancelRecovery,
    RejectRecovery,
    ReportKnownHealth,
    ReportServiceHealth,
    ReportSightLost,
    StartRecovery,
    WithdrawRecovery,
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
    Running,
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


def _decide_command(state: Recovery, command: Command, now: datetime) -> Decision:  # noqa: C901, PLR0912  (one match over all that can be asked)
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
        case Awaiting(), WithdrawRecovery(by=by, reason=reason):
            return [RecoveryCancelled(by=by, reason=reason)]
        case _, WithdrawRecovery():
            return Declined("the recovery does not wait for approval")
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
        case _, ReportSightLost(service=service):
            return _unseen(state, service)
        case _, ReportKnownHealth() as report:
            return _known(state, report)
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
            return [_proven_or_failed(plan, step)]
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


def _proven_or_failed(plan: Plan, step: int) -> Event:
    """Give what the end of a step's time makes of it.

    Who was healthy when it was acted on, and was never seen otherwise until now, is proven: no
    check has anything new to report of it.
    """
    service = plan.steps[step].service
    if service in plan.healthy:
        return RecoveryStepVerified(step=step, service=service)
    return RecoveryStepFailed(step=step, reason=f"{service} is not healthy in time")


def _reported(state: Recovery, service: str, *, healthy: bool) -> Decision:
    if isinstance(state, Unplanned | Ended):
        return Declined("the recovery does not run")
    if service in state.plan.awaited:
        return []  # it is of before the act: what was known as of that is on its way
    if (service in state.plan.healthy) == healthy:
        return []
    reported = RecoveryServiceReported(service=service, healthy=healthy)
    return [reported, *_proof(state, service)] if healthy else [reported]


def _proof(state: Recovery, service: str) -> list[Event]:
    if isinstance(state, Verifying) and state.plan.steps[state.step].service == service:
        return [RecoveryStepVerified(step=state.step, service=service)]
    return []


def _unseen(state: Recovery, service: str) -> Decision:
    """Believe a service no more that is still to be proven; a proof outlives what nobody sees."""
    if isinstance(state, Running):
        services = [step.service for step in state.plan.steps]
        if service in services[: state.step] and service not in services[state.step :]:
            return []
    return _reported(state, service, healthy=False)


def _known(state: Recovery, report: ReportKnownHealth) -> Decision:
    """Learn how a service was when it was acted on: that is no proof yet, but where it waits."""
    if isinstance(state, Unplanned | Ended):
        return Declined("the recovery does not run")
    if not isinstance(state, Verifying):
        return []
    step = state.plan.steps[state.step]
    if state.plan.awaited.get(step.service) != report.as_of:
        return []
    healthy = step.service in report.healthy
    reported = RecoveryServiceReported(service=step.service, healthy=healthy)
    only_waits = _waits(step, state.attempt)
    return [reported, *_proof(state, step.service)] if healthy and only_waits else [reported]


def _follow(state: Recovery, now: datetime) -> list[Event]:
    """Give what follows at once from a state that nobody has to wait in."""
    match state:
        case Acted():
            return [_after_acted(state, now)]
        case Verifying(plan=plan, step=step) | Between(plan=plan, step=step) if (
            again := plan.failed_again(step)
        ) is not None:
            reason = f"{plan.steps[again].service} is down again"
            return [RecoveryStepFailed(step=again, reason=reason)]
        case Between(plan=plan, step=step) if step >= len(plan.steps):
            return [_succeeded(plan, now)]
        case Between(plan=plan, step=step) if plan.steps[step].service in plan.healthy:
            return [RecoveryStepVerified(step=step, service=plan.steps[step].service)]
        case Between():
            return _begin(state, now)
        case _:
            return []


def _succeeded(plan: Plan, now: datetime) -> RecoverySucceeded:
    took_seconds = max(0.0, (now - plan.planned_at).total_seconds())
    return RecoverySucceeded(took_seconds=took_seconds)


def _begin(state: Between, now: datetime) -> list[Event]:
    """Begin a step, or its next attempt.

    One that failed again may wait again; it never acts more often than it may at all.
    """
    index, step = state.step, state.plan.steps[state.step]
    tries = state.plan.tries.get(index, 0)
    attempt = 1 if state.attempt == 0 and _waits(step, 1) else tries + 1
    if attempt > step.attempts_max:
        return [RecoveryFailed(reason=f"{step.service} is not healthy after {tries} tries")]
    began = RecoveryStepBegan(step=index, service=step.service, attempt=attempt)
    if _waits(step, attempt):
        until = now + timedelta(seconds=step.verify_seconds)
        return [began, RecoveryStepActed(step=index, verify_until=until, detail="waiting")]
    return [began, _intended(state, step, attempt, now)]


def _waits(step: Step, attempt: int) -> bool:
    """Say whether an attempt of a step does nothing to its service."""
    return step.effect == "none" or (step.wait_first and attempt == 1)


def _intended(state: Between, step: Step, attempt: int, now: datetime) -> EffectIntended:
    return state.intents.wish(
        step.effect,
        state.plan.executor,
        now + timedelta(seconds=step.timeout_seconds),
        {"service": step.service, "verify_seconds": step.verify_seconds, **step.arguments},
        attempt=attempt,
    )


def _after_acted(state: Acted, now: datetime) -> Event:
    """Let the checks speak where it was done, or where they say that it was not needed."""
    step = state.plan.steps[state.step]
    if state.cancelled_by:
        return RecoveryCancelled(by=state.cancelled_by, reason=f"{state.end}: {state.detail}")
    if state.end == "unknown" and step.effect not in REPEATABLE:
        reason = f"nobody knows whether {step.effect} on {step.service} happened; look yourself"
        return RecoveryFailed(reason=reason, outcome_unknown=True)
    detail = state.detail if state.end == "succeeded" else f"{state.end}: {state.detail}"
    if state.end == "succeeded" or step.service in state.plan.healthy:
        until = now + timedelta(seconds=step.verify_seconds)
        return RecoveryStepActed(step=state.step, verify_until=until, detail=detail)
    return RecoveryStepFailed(step=state.step, reason=detail)
