"""Questions to the projections, each answered from one consistent moment of the database."""

from projections.reading.database import NotReadyError, Reading
from projections.reading.incidents import (
    alert_of,
    alerts,
    incident_of,
    incidents,
    notifications,
    recoveries,
    recovery_of,
)
from projections.reading.journal import EventFilter, SqlJournal, events
from projections.reading.services import (
    names_near,
    service_of,
    services,
    services_of,
    without_verdict,
)
from projections.reading.status import (
    ProjectionState,
    counts,
    declined_commands,
    faults,
    parked_entities,
    projection_states,
)

__all__ = [
    "EventFilter",
    "NotReadyError",
    "ProjectionState",
    "Reading",
    "SqlJournal",
    "alert_of",
    "alerts",
    "counts",
    "declined_commands",
    "events",
    "faults",
    "incident_of",
    "incidents",
    "names_near",
    "notifications",
    "parked_entities",
    "projection_states",
    "recoveries",
    "recovery_of",
    "service_of",
    "services",
    "services_of",
    "without_verdict",
]
