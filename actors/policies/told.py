"""What the policy that tells people knows: whom it told of what, and who heard it otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from pydantic import AwareDatetime

from actors.telling import Status
from events.base import Value
from events.platform import PlatformSettings
from events.policy import (
    EndHeard,
    HelpAsked,
    IncidentTold,
    IncidentUntold,
    NoticeHeard,
    SettingsLearned,
    SightLost,
    SightRegained,
)

Note = (
    IncidentTold
    | IncidentUntold
    | HelpAsked
    | SightLost
    | SightRegained
    | SettingsLearned
    | NoticeHeard
    | EndHeard
)


class Told(Value):
    """An open incident and the alert that speaks for it."""

    alert: str
    cause: str
    effects: tuple[str, ...] = ()
    help_alert: str = ""
    end_heard: tuple[str, ...] = ()


class Heard(Value):
    """What a receiver heard of an alert while the log was away, and when."""

    status: Status
    told_at: AwareDatetime


class Knowledge(Value):
    """Which incidents people were told of, and which services nobody sees."""

    settings: PlatformSettings = PlatformSettings()
    incidents: dict[str, Told] = {}
    blind: frozenset[str] = frozenset()
    heard: dict[str, dict[str, Heard]] = {}

    def who_heard(self, alert: str, since: datetime) -> dict[str, Status]:
        """Give who heard what of an alert while the log was away, if it was after a moment."""
        heard = self.heard.get(alert, {})
        return {name: one.status for name, one in heard.items() if one.told_at >= since}


def evolve(knows: Knowledge, note: Note) -> Knowledge:  # noqa: C901  (one match over all notes)
    """Give what is known after a note."""
    match note:
        case SettingsLearned(settings=settings):
            return knows.model_copy(update={"settings": settings})
        case IncidentTold(incident=incident, alert=alert, cause=cause, effects=effects):
            before = knows.incidents.get(incident, Told(alert=alert, cause=cause))
            told = before.model_copy(update={"alert": alert, "cause": cause, "effects": effects})
            return _with_incidents(knows, {**knows.incidents, incident: told})
        case EndHeard(incident=incident, receivers=receivers):
            told = knows.incidents[incident].model_copy(update={"end_heard": receivers})
            return _with_incidents(knows, {**knows.incidents, incident: told})
        case NoticeHeard(alert=alert, receiver=receiver, status=status, told_at=told_at):
            heard = Heard(status=status, told_at=told_at)
            of_alert = {**knows.heard.get(alert, {}), receiver: heard}
            return knows.model_copy(update={"heard": {**knows.heard, alert: of_alert}})
        case HelpAsked(incident=incident, alert=alert):
            told = knows.incidents[incident].model_copy(update={"help_alert": alert})
            return _with_incidents(knows, {**knows.incidents, incident: told})
        case IncidentUntold(incident=incident):
            left = {name: told for name, told in knows.incidents.items() if name != incident}
            alert = knows.incidents[incident].alert if incident in knows.incidents else ""
            unheard = {name: one for name, one in knows.heard.items() if name != alert}
            return knows.model_copy(update={"incidents": left, "heard": unheard})
        case SightLost(service=service):
            return knows.model_copy(update={"blind": knows.blind | {service}})
        case SightRegained(service=service):
            return knows.model_copy(update={"blind": knows.blind - {service}})
    assert_never(note)


def _with_incidents(knows: Knowledge, incidents: dict[str, Told]) -> Knowledge:
    return knows.model_copy(update={"incidents": incidents})
