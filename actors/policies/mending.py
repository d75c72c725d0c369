"""What the policy that mends knows: what fails, what runs, and what is to be mended still."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from events.base import Value
from events.platform import PlatformSettings
from events.policy import (
    CauseNoted,
    HealthNoted,
    MendingBegan,
    MendingEnded,
    SettingsLearned,
    SightLost,
    SightRegained,
    TopologyLearned,
)
from events.topology import Node

Note = (
    HealthNoted
    | SightLost
    | SightRegained
    | CauseNoted
    | MendingBegan
    | MendingEnded
    | SettingsLearned
    | TopologyLearned
)


class Run(Value):
    """A recovery that was asked for and has no end yet."""

    recovery: str
    incident: str
    services: frozenset[str]


class Knowledge(Value):
    """What fails, what runs, and how each service may be mended.

    Who is `blind` was healthy when it was last seen. `causes` names the cause of each open incident
    for which more may have to be mended.
    """

    settings: PlatformSettings = PlatformSettings()
    services: dict[str, Node] = {}
    failing: frozenset[str] = frozenset()
    blind: frozenset[str] = frozenset()
    runs: dict[str, Run] = {}
    causes: dict[str, str] = {}

    def healthy_of(self, services: Iterable[str]) -> tuple[str, ...]:
        """Give those of some services of which nothing bad is known, in their order."""
        unwell = self.failing | self.blind
        return tuple(name for name in services if name not in unwell)

    def runs_of(self, incident: str) -> list[Run]:
        """Give what runs for an incident."""
        return [run for run in self.runs.values() if run.incident == incident]


def evolve(knows: Knowledge, note: Note) -> Knowledge:  # noqa: C901  (one match over all of it)
    """Give what is known after a note."""
    match note:
        case SettingsLearned(settings=settings):
            return knows.model_copy(update={"settings": settings})
        case TopologyLearned(services=services):
            return knows.model_copy(update={"services": services})
        case HealthNoted(service=service, down=True):
            return knows.model_copy(update={"failing": knows.failing | {service}})
        case HealthNoted(service=service):
            return knows.model_copy(update={"failing": knows.failing - {service}})
        case SightLost(service=service):
            return knows.model_copy(update={"blind": knows.blind | {service}})
        case SightRegained(service=service):
            return knows.model_copy(update={"blind": knows.blind - {service}})
        case CauseNoted(incident=incident, cause=cause):
            return _with_cause(knows, incident, cause)
        case MendingBegan(recovery=recovery, incident=incident, services=names):
            run = Run(recovery=recovery, incident=incident, services=frozenset(names))
            return knows.model_copy(update={"runs": {**knows.runs, recovery: run}})
        case MendingEnded(recovery=recovery):
            left = {name: run for name, run in knows.runs.items() if name != recovery}
            return knows.model_copy(update={"runs": left})
    assert_never(note)


def _with_cause(knows: Knowledge, incident: str, cause: str) -> Knowledge:
    causes = {name: one for name, one in knows.causes.items() if name != incident}
    return knows.model_copy(update={"causes": {**causes, incident: cause} if cause else causes})


def incident_of(recovery: str, incidents: Iterable[str]) -> str:
    """Give the incident a recovery is for: its id begins with the incident's, and a colon."""
    names = [name for name in incidents if recovery.startswith(f"{name}:")]
    return max(names, key=len, default="")
