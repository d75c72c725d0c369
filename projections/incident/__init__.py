"""Incidents: what failed because of what, and all that happened about it, line by line."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from projections.base import Projection
from projections.incident.summary import project as summary
from projections.incident.tables import INCIDENTS, LINKS, MEMBERS, SYMPTOMS, TIMELINE
from projections.incident.timeline import project as timeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.base import Envelope
    from projections.base import Change, Rows

__all__ = ["INCIDENT", "INCIDENTS", "LINKS", "MEMBERS", "SYMPTOMS", "TIMELINE", "project"]


def project(rows: Rows, envelope: Envelope) -> Iterator[Change]:
    """Give what an event changes in an incident, and its lines in the timeline."""
    return chain(timeline(rows, envelope), summary(rows, envelope))


INCIDENT = Projection(
    name="incident",
    version=2,
    tables=(INCIDENTS, MEMBERS, TIMELINE, LINKS, SYMPTOMS),
    kinds=frozenset({"service", "incident", "alert", "recovery"}),
    project=project,
)
