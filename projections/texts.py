"""Every event as one sentence for people, in one place, with the tone it is shown in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from events.alert import AlertFired
    from events.base import Event
    from events.effect import Intent
    from events.policy import Order
    from events.service import ServiceWentDown
    from events.storage import LogRestored

Tone = Literal["bad", "good", "told", "work", "plain"]
"""How a line is shown: a failure, an end of one, people told, hands at work, or neither."""

TONES: dict[str, Tone] = {
    "ServiceWentDown": "bad",
    "ServiceLostSight": "bad",
    "ServiceBecameHealthy": "good",
    "IncidentOpened": "bad",
    "IncidentEffectJoined": "bad",
    "IncidentMemberRecovered": "good",
    "IncidentResolved": "good",
    "IncidentRecoveryBegan": "work",
    "IncidentRecoveryEnded": "work",
    "AlertFired": "told",
    "AlertAcknowledged": "told",
    "AlertEscalated": "told",
    "AlertResolved": "told",
    "AlertHeard": "told",
    "PlatformToldWithoutLog": "told",
    "PlatformLogWasAway": "bad",
    "EffectFailed": "bad",
    "EffectOutcomeUnknown": "bad",
    "EffectIntended": "work",
    "EffectProgressed": "work",
    "EffectSucceeded": "work",
    "RecoveryPlanned": "work",
    "RecoveryApproved": "work",
    "RecoveryStepBegan": "work",
    "RecoveryStepActed": "work",
    "RecoveryStepVerified": "good",
    "RecoverySucceeded": "good",
    "RecoveryStepFailed": "bad",
    "RecoveryFailed": "bad",
    "RecoveryRejected": "bad",
    "EntityParked": "bad",
    "CauseQuarantined": "bad",
}

_PRESSURES = {
    "none": "The log's disk has room again",
    "high": "The log's disk fills up: telemetry is shortened",
    "critical": "The log's disk is almost full: soon nothing can be committed",
}

_TEXTS: dict[str, Callable[[Any, str], str]] = {
    "ServiceConfigured": lambda e, n: (
        f"{n} is watched by {_count(len(e.settings.checks), 'check')}"
    ),
    "ServiceRetired": lambda e, n: f"{n} is no longer watched: {e.reason}",
    "ServiceBecameHealthy": lambda e, n: (
        f"{n} is healthy again after {seconds_text(e.down_seconds)} down"
        if e.down_seconds
        else f"{n} is healthy"
    ),
    "ServiceWentDown": lambda e, n: f"{n} went down: {_check(e.check)}{e.reason}",
    "ServiceLostSight": lambda e, n: f"No data about {n}: {e.reason}",
    "ServiceProbeRequested": lambda e, n: f"{n} is to be probed at once: {e.reason}",
    "IncidentOpened": lambda e, _: f"Incident opened; the cause is {e.cause}: {e.reason}",
    "IncidentEffectJoined": lambda e, _: (
        f"{e.service} failed as an effect: {e.because or e.reason}"
    ),
    "IncidentCauseChanged": lambda e, _: (
        f"{e.cause} failed again: {e.reason}"
        if e.cause == e.was
        else f"The cause is {e.cause}, not {e.was}: {e.reason}"
    ),
    "IncidentMemberRecovered": lambda e, _: f"{e.service} works again",
    "IncidentRecoveryBegan": lambda _e, _: "The mending began",
    "IncidentRecoveryEnded": lambda e, _: f"The mending ended: {e.outcome}",
    "IncidentResolved": lambda e, _: (
        f"Incident resolved after {seconds_text(e.lasted_seconds)}: {e.reason}"
    ),
    "AlertFired": lambda e, _: (
        f"Alert fired ({e.severity}) for {_names(e.receivers)}: {_summary(e)}"
    ),
    "AlertAnnotated": lambda e, _: (
        f"The alert now says: {e.annotations.get('summary') or _names(e.annotations.values())}"
    ),
    "AlertAcknowledged": lambda e, _: f"{e.by} acknowledged the alert{_comment(e.comment)}",
    "AlertEscalated": lambda e, _: (
        f"Nobody acknowledged in time, so it is told again (level {e.level})"
    ),
    "AlertResolved": lambda e, _: f"Alert resolved: {e.reason}",
    "AlertHeard": lambda e, _: (
        f"{_names(e.receivers)} heard it ({e.status}) while the log could not be written"
    ),
    "PlatformToldWithoutLog": lambda e, _: (
        f"{e.receiver} was told without the log at {e.told_at:%H:%M:%S}: {e.status}, {e.summary}"
    ),
    "PlatformLogWasAway": lambda e, _: (
        f"The log could not be written for {seconds_text((e.until - e.since).total_seconds())}: "
        f"{e.reason}"
    ),
    "EffectIntended": lambda e, _: _intended(e.intent),
    "EffectProgressed": lambda e, _: f"Step done: {e.step}{_percent(e.fraction)}",
    "EffectCancelRequested": lambda e, _: f"Asked to stop: {e.reason}",
    "EffectSucceeded": lambda e, n: (
        f"{n} {'delivered' if n == 'Notice' else 'done'}{_comment(e.detail)}"
    ),
    "EffectFailed": lambda e, n: f"{n} failed: {e.reason}",
    "EffectCancelled": lambda e, n: f"{n} stopped before its end: {e.reason}",
    "EffectOutcomeUnknown": lambda e, n: (
        f"{n} ended, and nobody knows whether it happened: {e.reason}"
    ),
    "RecoveryPlanned": lambda e, _: (
        f"Recovery of {e.cause} planned in {_count(len(e.steps), 'step')}{_mode(e.mode)}"
    ),
    "RecoveryApproved": lambda e, _: f"{e.by} approved the recovery",
    "RecoveryRejected": lambda e, _: f"{e.by} rejected the recovery: {e.reason}",
    "RecoveryStepBegan": lambda e, _: f"Step {e.step + 1} began: {e.service}{_attempt(e.attempt)}",
    "RecoveryStepActed": lambda e, _: (
        f"Step {e.step + 1} acted{_comment(e.detail)}; its checks must now prove it"
    ),
    "RecoveryStepVerified": lambda e, _: f"Step {e.step + 1} proven: {e.service} is healthy",
    "RecoveryStepFailed": lambda e, _: f"Step {e.step + 1} failed: {e.reason}",
    "RecoveryServiceReported": lambda e, _: (
        f"{e.service} reported {'healthy' if e.healthy else 'not healthy'} to the recovery"
    ),
    "RecoverySucceeded": lambda e, _: (
        f"Recovery proven by the checks, after {seconds_text(e.took_seconds)}"
    ),
    "RecoveryFailed": lambda e, _: f"Recovery failed, a person is asked: {e.reason}",
    "RecoveryCancelled": lambda e, _: f"{e.by} cancelled the recovery: {e.reason}",
    "CommandDeclined": lambda e, n: f"{n} declined {e.command}: {e.reason}",
    "EntityParked": lambda e, n: f"{n} is quarantined; {e.where} raised: {e.error}",
    "EntityReleased": lambda e, n: f"{n} left quarantine: {e.reason}",
    "HostStarted": lambda e, n: f"Host {n} started (pid {e.pid} on {e.node}, {e.build})",
    "HostReady": lambda e, n: (
        f"Host {n} is ready with {_count(e.entities, 'entity', 'entities')}"
        f" after {seconds_text(e.took_seconds)}"
    ),
    "HostClockStepped": lambda e, n: f"The clock of {n} stepped by {e.offset_seconds:+.3f} s",
    "HostBucketsGivenUp": lambda e, n: f"{n} gave up bucket {e.bucket:02x} of {e.kind}",
    "PolicyAdvanced": lambda e, n: (
        f"{n} read to {e.sequence}" + (f" and ordered {_orders(e.orders)}" if e.orders else "")
    ),
    "SymptomSeen": lambda e, _: f"{e.service} shows a symptom: {e.reason}",
    "SymptomPlaced": lambda e, _: f"{e.service} was put into incident {e.incident}",
    "SymptomCleared": lambda e, _: f"{e.service} no longer fails",
    "CaseOpened": lambda e, _: f"{e.cause} is taken for the cause of incident {e.incident}",
    "CaseCauseChanged": lambda e, _: f"{e.cause} is the deeper cause of incident {e.incident}",
    "CaseClosed": lambda e, _: f"Nothing in incident {e.incident} fails any more",
    "IncidentTold": lambda e, _: f"Alert {e.alert} speaks for incident {e.incident}",
    "IncidentUntold": lambda e, _: f"Incident {e.incident} is over, and so is its alert",
    "NoticeHeard": lambda e, _: f"{e.receiver} heard {e.alert} ({e.status}) without the log",
    "EndHeard": lambda e, _: f"{_names(e.receivers)} heard the end of {e.incident} already",
    "HelpAsked": lambda e, _: f"A person is asked for help with incident {e.incident}",
    "CauseQuarantined": lambda e, n: f"{n} left out {e.cause_type}, which raised: {e.error}",
    "SightLost": lambda e, _: f"{e.service} is out of sight",
    "SightRegained": lambda e, _: f"{e.service} is in sight again",
    "HealthNoted": lambda e, _: f"{e.service} is {'down' if e.down else 'not down'}",
    "MendingBegan": lambda e, _: f"The mending of {e.incident} was ordered: {e.recovery}",
    "CauseNoted": lambda e, _: f"{e.cause or 'Nothing more'} is to be mended for {e.incident}",
    "MendingEnded": lambda e, _: f"The mending {e.recovery} came to its end",
    "TopologyLearned": lambda _e, n: f"{n} learned what needs what",
    "LogRestored": lambda e, _n: (
        f"The log was restored from {_of_file(e)}; {_count(e.given_up, 'commit')} given up"
    ),
    "StoragePressureChanged": lambda e, _n: f"{_PRESSURES[e.pressure]} ({e.used_share:.0%} used)",
    "SettingsLearned": lambda _e, n: f"{n} learned the platform's settings",
    "PlatformConfigured": lambda e, n: (
        f"Platform {n} is configured; people to be told: {_names(e.settings.receivers)}"
    ),
    "BucketsPlaced": lambda e, _: (
        f"Buckets placed on {_count(len(e.hosts), 'host')} (epoch {e.epoch})"
    ),
    "TopologyDeclared": lambda _e, _: "What needs what was declared",
}


_ENDS_OF_EFFECTS = frozenset(
    {"EffectSucceeded", "EffectFailed", "EffectCancelled", "EffectOutcomeUnknown"}
)


def describe(event: Event, address: str) -> str:
    """Give an event of an entity (`kind/id`) as one sentence, without its time."""
    kind, _, name = address.partition("/")
    if type(event).__name__ in _ENDS_OF_EFFECTS:
        name = "Notice" if kind == "alert" else "Effect"
    text = _TEXTS.get(type(event).__name__)
    return _spoken(type(event).__name__) + f" ({name})" if text is None else text(event, name)


def first_probe_text(event: ServiceWentDown, service: str) -> str:
    """Give the first failed probe behind a service's failure as one sentence."""
    rows = event.evidence.excerpt
    failed = next((row for row in rows if row.time >= event.since and not row.succeeded), None)
    check = (failed.check if failed else event.check) or "of its checks"
    reason = (failed.reason if failed else "") or event.reason
    return f"First failed probe of {service}: {_check(check)}{reason}"


def tone_of(event: Event) -> Tone:
    """Give the tone an event is shown in."""
    return TONES.get(type(event).__name__, "plain")


def seconds_text(seconds: float) -> str:
    """Give a length of time as people say it: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 10:  # noqa: PLR2004  (below this a tenth of a second says something)
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller_size, smaller in _UNITS:
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


_UNITS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))


def _spoken(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return words[:1].upper() + words[1:]


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _names(names: Any) -> str:  # noqa: ANN401  (any iterable of texts)
    return ", ".join(names) or "nobody"


def _check(name: str) -> str:
    return f"check {name}: " if name else ""


def _comment(text: str) -> str:
    return f": {text}" if text else ""


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f" ({fraction:.0%})"


def _attempt(attempt: int) -> str:
    return f", attempt {attempt}" if attempt > 1 else ""


def _of_file(event: LogRestored) -> str:
    return f"{_article(event.source)} of {str(event.made)[:19]} by {event.by}"


def _article(source: str) -> str:
    return "an archive" if source == "archive" else "a backup"


def _mode(mode: str) -> str:
    return {"shadow": "; only said, not done", "approval": "; waits for approval"}.get(mode, "")


def _summary(event: AlertFired) -> str:
    return event.annotations.get("summary") or event.labels.get("alertname", "")


def _orders(orders: tuple[Order, ...]) -> str:
    shown = ", ".join(f"{order.command} to {order.target}" for order in orders[:3])
    return shown if len(orders) <= 3 else f"{shown} and {len(orders) - 3} more"  # noqa: PLR2004


def _intended(intent: Intent) -> str:
    if intent.effect == "notify":
        receiver = intent.arguments.get("receiver", "somebody")
        return f"{receiver} is to be told: {intent.arguments.get('status', 'firing')}"
    again = _attempt(intent.attempt)
    return f"{intent.effect} is to be done by {intent.executor}{again}"
