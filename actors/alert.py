"""An alert fires, is acknowledged, is resolved; who was told of the first is told of the last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from pydantic import AwareDatetime, TypeAdapter

from actors.base import Command, Decider, Decision, Declined, Tick
from actors.intents import Intents, ReportEffect, ReportProgress, ended, progressed
from actors.telling import Status, Telling, evolve_telling, plan_notices, retried
from events.alert import (
    AlertAcknowledged,
    AlertAnnotated,
    AlertEscalated,
    AlertEvent,
    AlertFired,
    AlertHeard,
    AlertResolved,
    Escalation,
    Severity,
)
from events.base import Event, Value
from events.effect import (
    EffectCancelled,
    EffectCancelRequested,
    EffectEvent,
    EffectFailed,
    EffectIntended,
    EffectOutcomeUnknown,
    EffectProgressed,
    EffectSucceeded,
)


class Content(Value):
    """What an alert says, and to whom."""

    labels: dict[str, str]
    annotations: dict[str, str]
    severity: Severity
    receivers: tuple[str, ...]
    escalation: Escalation
    incident: str = ""


class Inactive(Value):
    """The alert never fired."""

    telling: Telling = Telling()


class Firing(Value):
    """Something is wrong, and nobody has taken it yet."""

    content: Content
    level: int = 0
    tell_again_at: AwareDatetime | None
    telling: Telling


class Acknowledged(Value):
    """Something is wrong, and a person has taken it."""

    content: Content
    level: int
    by: str
    telling: Telling


class Resolved(Value):
    """It is right again."""

    content: Content
    telling: Telling


Alert = Inactive | Firing | Acknowledged | Resolved


class FireAlert(Command):
    """Something is wrong; `heard` has the receivers who know. While it fires, its words change."""

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    severity: Severity
    receivers: tuple[str, ...]
    escalation: Escalation = Escalation()
    incident: str = ""
    executor: str = "executor"
    heard: tuple[str, ...] = ()


class AnnotateAlert(Command):
    """More is known; nobody is told again."""

    annotations: dict[str, str]


class AcknowledgeAlert(Command):
    """A person takes it."""

    by: str
    comment: str = ""


class ResolveAlert(Command):
    """It is right again. `heard` names receivers who know that already."""

    reason: str
    heard: tuple[str, ...] = ()


def decide(state: Alert, command: Command, now: datetime) -> Decision:
    """Decide what a command means for the alert, and which notices follow from it."""
    decision = _decide_alert(state, command, now)
    if isinstance(decision, Declined):
        return decision
    after = state
    for event in decision:
        after = evolve(after, event)  # type: ignore[arg-type]  # only events of this kind
    return [*decision, *plan_notices(after.telling, now)]


def _decide_alert(state: Alert, command: Command, now: datetime) -> Decision:  # noqa: C901  (one match over all that can be asked)
    match state, command:
        case _, Tick():
            return [*_escalate(state, now), *retried(state.telling, now)]
        case _, ReportEffect() as report:
            return _effect_ended(state, report, now)
        case _, ReportProgress() as report:
            step = progressed(state.telling.intents, report)
            return step if isinstance(step, Declined) else [step]
        case ((Inactive() | Resolved()), FireAlert() as wish):
            return [_fired(wish, now), *_heard(wish.heard, "firing")]
        case ((Firing() | Acknowledged()), FireAlert(annotations=annotations)):
            return _annotate(state, annotations)
        case ((Firing() | Acknowledged()), AnnotateAlert(annotations=annotations)):
            return _annotate(state, annotations)
        case Firing(), AcknowledgeAlert(by=by, comment=comment):
            return [AlertAcknowledged(by=by, comment=comment)]
        case Acknowledged(by=by), AcknowledgeAlert():
            return Declined(f"{by} has acknowledged it already")
        case ((Firing() | Acknowledged()), ResolveAlert(reason=reason, heard=heard)):
            return [AlertResolved(reason=reason), *_heard(heard, "resolved")]
        case _, (AcknowledgeAlert() | AnnotateAlert() | ResolveAlert()):
            return Declined("the alert does not fire")
        case _:
            return Declined(f"an alert does not know {type(command).__name__}")


def _heard(receivers: tuple[str, ...], status: Status) -> list[Event]:
    return [AlertHeard(receivers=receivers, status=status)] if receivers else []


def _fired(wish: FireAlert, now: datetime) -> AlertFired:
    return AlertFired(
        labels=wish.labels,
        annotations=wish.annotations,
        severity=wish.severity,
        receivers=wish.receivers,
        escalation=wish.escalation,
        tell_again_at=_tell_again_at(wish.escalation, 0, now),
        incident=wish.incident,
        executor=wish.executor,
    )


def _tell_again_at(escalation: Escalation, level: int, now: datetime) -> datetime | None:
    if level >= escalation.repeats_max:
        return None
    return now + timedelta(seconds=escalation.wait_seconds)


def _annotate(state: Firing | Acknowledged, annotations: dict[str, str]) -> list[Event]:
    if annotations == state.content.annotations:
        return []
    return [AlertAnnotated(annotations=annotations)]


def _escalate(state: Alert, now: datetime) -> list[Event]:
    match state:
        case Firing(tell_again_at=due, level=level, content=content) if due and now >= due:
            tell_again_at = _tell_again_at(content.escalation, level + 1, now)
            return [AlertEscalated(level=level + 1, tell_again_at=tell_again_at)]
        case _:
            return []


def _effect_ended(state: Alert, report: ReportEffect, now: datetime) -> Decision:
    end = ended(state.telling.intents, report)
    if isinstance(end, EffectFailed):
        return [state.telling.with_retry(end, now)]
    return end if isinstance(end, Declined) else [end]


def evolve(state: Alert, event: AlertEvent | EffectEvent) -> Alert:
    """Give the state after an event."""
    match event:
        case AlertFired():
            return _after_fired(state, event)
        case AlertAnnotated(annotations=annotations):
            assert isinstance(state, Firing | Acknowledged), "only what fires is annotated"
            content = state.content.model_copy(update={"annotations": annotations})
            return state.model_copy(update={"content": content})
        case AlertAcknowledged(by=by):
            assert isinstance(state, Firing), "only what fires is acknowledged"
            return Acknowledged(
                content=state.content, level=state.level, by=by, telling=state.telling
            )
        case AlertEscalated(level=level, tell_again_at=due):
            assert isinstance(state, Firing), "only what fires is escalated"
            return Firing(
                content=state.content,
                level=level,
                tell_again_at=due,
                telling=state.telling.wanting("firing", level),
            )
        case AlertResolved():
            assert isinstance(state, Firing | Acknowledged), "only what fires is resolved"
            telling = state.telling.wanting("resolved", state.level)
            return Resolved(content=state.content, telling=telling)
        case AlertHeard(receivers=receivers, status=status):
            telling = state.telling.having_told(receivers, status)
            return state.model_copy(update={"telling": telling})
        case (
            EffectIntended()
            | EffectProgressed()
            | EffectCancelRequested()
            | EffectSucceeded()
            | EffectFailed()
            | EffectCancelled()
            | EffectOutcomeUnknown()
        ):
            return state.model_copy(update={"telling": evolve_telling(state.telling, event)})
    assert_never(event)


def _after_fired(state: Alert, event: AlertFired) -> Firing:
    content = Content(
        labels=event.labels,
        annotations=event.annotations,
        severity=event.severity,
        receivers=event.receivers,
        escalation=event.escalation,
        incident=event.incident,
    )
    telling = state.telling.for_episode(event.receivers, event.executor)
    return Firing(content=content, tell_again_at=event.tell_again_at, telling=telling)


def due(state: Alert) -> datetime | None:
    """Give when the alert is told again, a notice tried again, or an intent overdue."""
    moments = [state.telling.due()]
    if isinstance(state, Firing):
        moments.append(state.tell_again_at)
    return min((moment for moment in moments if moment is not None), default=None)


def intents(state: Alert) -> Intents:
    """Give the notices that are on their way."""
    return state.telling.intents


ALERT: Decider[Alert] = Decider(
    kind="alert",
    initial=Inactive(),
    states=TypeAdapter(Alert),
    state_version=1,
    commands=(
        FireAlert,
        AnnotateAlert,
        AcknowledgeAlert,
        ResolveAlert,
        ReportEffect,
        ReportProgress,
    ),
    events=(
        AlertFired,
        AlertAnnotated,
        AlertAcknowledged,
        AlertEscalated,
        AlertResolved,
        AlertHeard,
        EffectIntended,
        EffectProgressed,
        EffectCancelRequested,
        EffectSucceeded,
        EffectFailed,
        EffectCancelled,
        EffectOutcomeUnknown,
    ),
    decide=decide,
    evolve=evolve,  # type: ignore[arg-type]  # the host passes only events of this kind
    due=due,
    intents=intents,
)
