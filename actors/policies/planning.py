"""How a cause and its effects are mended: which steps, in which order."""

from __future__ import annotations

from actors.topology import dependents_of
from events.recovery import Step
from events.service import RecoveryAction
from events.topology import Node

DEPENDENTS_MAX = 100
WAIT_SECONDS = 60.0


def plan(services: dict[str, Node], cause: str, action: RecoveryAction) -> tuple[Step, ...]:
    """Give the steps: the cause is mended, then what needs it is waited for, in order."""
    steps = [_step(cause, action, wait_first=False)]
    steps.extend(
        _step(name, services[name].recovery, wait_first=True)
        for name in dependents_of(services, cause)[:DEPENDENTS_MAX]
    )
    return tuple(steps)


def _step(service: str, action: RecoveryAction | None, *, wait_first: bool) -> Step:
    if action is None:
        return Step(
            service=service,
            effect="none",
            timeout_seconds=WAIT_SECONDS,
            verify_seconds=WAIT_SECONDS,
        )
    return Step(
        service=service,
        effect=action.effect,
        timeout_seconds=action.timeout_seconds,
        verify_seconds=action.verify_seconds,
        attempts_max=action.attempts_max + (1 if wait_first else 0),
        wait_first=wait_first,
    )
