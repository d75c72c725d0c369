"""Which projections there are."""

from __future__ import annotations

from projections.alert import ALERT
from projections.base import Projection
from projections.effect import EFFECT
from projections.entity import ENTITY
from projections.incident import INCIDENT
from projections.journal import JOURNAL_PROJECTION
from projections.recovery import RECOVERY
from projections.service import SERVICE

PROJECTIONS: tuple[Projection, ...] = (
    SERVICE,
    INCIDENT,
    ALERT,
    RECOVERY,
    EFFECT,
    ENTITY,
    JOURNAL_PROJECTION,
)
