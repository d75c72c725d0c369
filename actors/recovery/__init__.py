"""A recovery is planned, allowed, done step by step in order, and believed only when proven."""

from __future__ import annotations

from datetime import datetime

from pydantic import TypeAdapter

from actors.base import Decider
from actors.intents import Intents, ReportEffect, ReportProgress
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
from actors.recovery.decide import decide
from actors.recovery.evolve import evolve
from actors.recovery.states import Awaiting, Recovery, Unplanned, Verifying
from events.effect import EffectEvent
from events.recovery import RecoveryEvent

__all__ = [
    "RECOVERY",
    "ApproveRecovery",
    "CancelRecovery",
    "Recovery",
    "RejectRecovery",
    "ReportKnownHealth",
    "ReportServiceHealth",
    "ReportSightLost",
    "StartRecovery",
    "WithdrawRecovery",
]


def due(state: Recovery) -> datetime | None:
    """Give when approval, proof or an effect is late."""
    own: datetime | None = None
    if isinstance(state, Awaiting):
        own = state.until
    if isinstance(state, Verifying):
        own = state.verify_until
    moments = [own, state.intents.due()]
    return min((moment for moment in moments if moment is not None), default=None)


def intents(state: Recovery) -> Intents:
    """Give the effects that are under way."""
    return state.intents


RECOVERY: Decider[Recovery] = Decider(
    kind="recovery",
    initial=Unplanned(),
    states=TypeAdapter(Recovery),
    state_version=2,
    commands=(
        StartRecovery,
        ApproveRecovery,
        RejectRecovery,
        CancelRecovery,
        WithdrawRecovery,
        ReportServiceHealth,
        ReportSightLost,
        ReportKnownHealth,
        ReportEffect,
        ReportProgress,
    ),
    events=(*RecoveryEvent.__args__, *EffectEvent.__args__),
    decide=decide,
    evolve=evolve,  # type: ignore[arg-type]  # the host passes only events of this kind
    due=due,
    intents=intents,
)
