"""Short words for tests of recoveries: what is asked of one, and what is reported to it."""

from __future__ import annotations

from typing import Any

from actors.intents import ReportEffect
from actors.recovery import RECOVERY, ReportKnownHealth, ReportServiceHealth, StartRecovery
from events.recovery import Step
from tests.deciding import Story


def step(service: str, **changes: Any) -> Step:
    given = {"effect": "process.restart", "timeout_seconds": 10.0, "verify_seconds": 20.0}
    return Step.model_validate({"service": service, **given, **changes})


def start(*steps: Step, **changes: Any) -> StartRecovery:
    given = {"incident": "i", "cause": "db", "steps": steps, "mode": "automatic", "executor": "x"}
    return StartRecovery.model_validate({**given, **changes})


def report(outcome: str, number: int = 1) -> ReportEffect:
    return ReportEffect.model_validate({"number": number, "outcome": outcome, "detail": "test"})


def healthy(service: str, *, is_healthy: bool = True) -> ReportServiceHealth:
    return ReportServiceHealth(service=service, healthy=is_healthy)


def known(story: Story, *services: str) -> ReportKnownHealth:
    """Say which services were healthy when the recovery acted last."""
    return ReportKnownHealth(as_of=story.state.verify_until, healthy=services)


def acted(*steps: Step) -> Story:
    """Give a recovery that acted on its first service, and was told that this was not healthy."""
    story = Story(RECOVERY)
    story.give(start(*steps))
    story.give(report("succeeded"))
    story.give(known(story))
    return story
