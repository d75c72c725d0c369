"""A conclusion is news where the log says otherwise, and knows nothing of a later moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from actors.service import Down, Healthy, Unproven, Watched, health_name

if TYPE_CHECKING:
    from evaluation.watching import Watching

LATE = timedelta(seconds=30)
"""So long after a fact samples of before it may still arrive: the log was away meanwhile."""


def is_news(
    watching: Watching,
    service: str,
    state: Watched,
    configured: datetime | None,
    changed: datetime | None,
) -> bool:
    """Say whether the verdict on a service should be reported.

    The log has the service in `state`; it was last `configured` then, and last `changed`.
    """
    verdict = watching.verdict(service)
    if verdict is None or verdict == health_name(state.health):
        return False
    if verdict == "down" and _is_starting(watching.horizon, state, configured):
        return False
    return not _is_overtaken(watching, service, state, configured, changed)


def _is_starting(horizon: datetime | None, state: Watched, configured: datetime | None) -> bool:
    """Say whether a service that was never seen healthy still has time to come up."""
    if not isinstance(state.health, Unproven) or configured is None or horizon is None:
        return False
    return horizon < configured + timedelta(seconds=state.settings.startup_seconds)


def _is_overtaken(
    watching: Watching,
    service: str,
    state: Watched,
    configured: datetime | None,
    changed: datetime | None,
) -> bool:
    """Say whether the samples are of before what the log was told just now, by another way."""
    horizon, conclusion = watching.horizon, watching.conclude(service)
    if conclusion is None or horizon is None or changed is None or horizon > changed + LATE:
        return False
    match conclusion.verdict, state.health:
        case "healthy", Down(since=since):
            is_new = configured is not None and configured > since
            return conclusion.since < since and not is_new
        case "down", Healthy(since=since):
            return conclusion.observed < since
        case _:
            return False
