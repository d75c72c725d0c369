"""What the correlator knows: what fails, in which incident, and what needs what."""

from __future__ import annotations

from typing import TypeVar, assert_never

from pydantic import AwareDatetime

from actors.topology import needed_by
from events.base import Evidence, Value
from events.platform import PlatformSettings
from events.policy import (
    CaseCauseChanged,
    CaseClosed,
    CaseOpened,
    SettingsLearned,
    SymptomCleared,
    SymptomPlaced,
    SymptomSeen,
    TopologyLearned,
)
from events.topology import Node

T = TypeVar("T")
Note = (
    SymptomSeen
    | SymptomPlaced
    | SymptomCleared
    | CaseOpened
    | CaseCauseChanged
    | CaseClosed
    | TopologyLearned
    | SettingsLearned
)


class Symptom(Value):
    """A service that fails. It has no incident while its needs are still being probed."""

    service: str
    cause_id: str
    correlation_id: str
    reason: str
    since: AwareDatetime
    observed: AwareDatetime
    critical: bool
    settles_at: AwareDatetime
    sequence: int
    evidence: Evidence | None = None
    incident: str = ""


class Case(Value):
    """An open incident."""

    incident: str
    cause: str
    correlation_id: str


class Picture(Value):
    """What fails, why it is thought to fail, and what needs what, read in both directions."""

    symptoms: dict[str, Symptom] = {}
    cases: dict[str, Case] = {}
    services: dict[str, Node] = {}
    needed_by: dict[str, tuple[str, ...]] = {}
    settings: PlatformSettings = PlatformSettings()


def evolve(picture: Picture, note: Note) -> Picture:  # noqa: C901  (one match over all that can be asked)
    """Give the picture after a note."""
    match note:
        case SymptomSeen():
            symptom = Symptom(**dict(note))
            return _with(picture, symptoms={**picture.symptoms, note.service: symptom})
        case SymptomPlaced(service=service, incident=incident):
            placed = picture.symptoms[service].model_copy(update={"incident": incident})
            return _with(picture, symptoms={**picture.symptoms, service: placed})
        case SymptomCleared(service=service):
            return _with(picture, symptoms=_without(picture.symptoms, service))
        case CaseOpened(incident=incident):
            return _with(picture, cases={**picture.cases, incident: Case(**dict(note))})
        case CaseCauseChanged(incident=incident, cause=cause):
            case = picture.cases[incident].model_copy(update={"cause": cause})
            return _with(picture, cases={**picture.cases, incident: case})
        case CaseClosed(incident=incident):
            return _with(picture, cases=_without(picture.cases, incident))
        case TopologyLearned(services=services):
            return _with(picture, services=services, needed_by=needed_by(services))
        case SettingsLearned(settings=settings):
            return _with(picture, settings=settings)
    assert_never(note)


def _with(picture: Picture, **changes: object) -> Picture:
    return picture.model_copy(update=changes)


def _without(entries: dict[str, T], key: str) -> dict[str, T]:
    return {name: entry for name, entry in entries.items() if name != key}
