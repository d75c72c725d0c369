"""Questions about incidents, and the alerts and recoveries that belong to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from events.platform import PlatformToldWithoutLog
from projections.alert import ALERTS
from projections.base import moment_text
from projections.effect import EFFECTS
from projections.incident import INCIDENTS, MEMBERS, TIMELINE
from projections.journal import JOURNAL
from projections.reading.database import first, rows
from projections.recovery import RECOVERIES, STEPS

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select, Table

    from projections.base import Row

LIMIT = 100
TIMELINE_MAX = 1_000


def incidents(connection: Connection, state: str = "", limit: int = LIMIT) -> list[Row]:
    """Give incidents with their members, open ones first, then the newest."""
    statement = select(INCIDENTS).order_by(
        INCIDENTS.c.state != "open", INCIDENTS.c.opened_sequence.desc()
    )
    if state:
        statement = statement.where(INCIDENTS.c.state == state)
    found = rows(connection, statement.limit(limit))
    members: dict[str, list[Row]] = {row["id"]: [] for row in found}
    wanted = select(MEMBERS).where(MEMBERS.c.incident.in_(list(members)))
    for member in rows(connection, wanted.order_by(MEMBERS.c.sequence, MEMBERS.c.service)):
        members[member["incident"]].append(member)
    return [_with_members(row, members[row["id"]]) for row in found]


def _with_members(incident: Row, members: list[Row]) -> Row:
    effects = [member for member in members if member["role"] == "effect"]
    return {**incident, "members": members, "effects": effects}


def incident_of(connection: Connection, incident: str) -> Row | None:
    """Give one incident with all that belongs to it: timeline, effects, alerts, recoveries."""
    row = first(connection, select(INCIDENTS).where(INCIDENTS.c.id == incident))
    if row is None:
        return None
    members = select(MEMBERS).where(MEMBERS.c.incident == incident)
    found = rows(connection, members.order_by(MEMBERS.c.sequence, MEMBERS.c.service))
    return {
        **_with_members(row, found),
        "timeline": timeline(connection, incident),
        "alerts": _of_incident(connection, ALERTS, incident),
        "told_without_log": _told_without_log(connection, row),
        "notifications": _notifications_of_incident(connection, incident),
        "recoveries": [
            _with_steps(connection, recovery)
            for recovery in _of_incident(connection, RECOVERIES, incident)
        ],
    }


def timeline(connection: Connection, incident: str) -> list[Row]:
    """Give an incident's first thousand lines in the order of their causes."""
    statement = select(TIMELINE).where(TIMELINE.c.incident == incident)
    order = (TIMELINE.c.sequence, TIMELINE.c.index, TIMELINE.c.part)
    return rows(connection, statement.order_by(*order).limit(TIMELINE_MAX))


def _of_incident(connection: Connection, table: Table, incident: str) -> list[Row]:
    statement = select(table).where(table.c.incident == incident)
    return rows(connection, statement.order_by(table.c.sequence.desc()).limit(LIMIT))


def alerts(connection: Connection, state: str = "", limit: int = LIMIT) -> list[Row]:
    """Give alerts, those that still fire first, then the newest."""
    statement = select(ALERTS).order_by(ALERTS.c.state == "resolved", ALERTS.c.sequence.desc())
    if state:
        statement = statement.where(ALERTS.c.state == state)
    return rows(connection, statement.limit(limit))


def alert_of(connection: Connection, alert: str) -> Row | None:
    """Give one alert, or None."""
    return first(connection, select(ALERTS).where(ALERTS.c.id == alert))


def notifications(connection: Connection, limit: int = LIMIT) -> list[Row]:
    """Give whom people's attention was asked of, the newest first."""
    statement = _notifications().order_by(EFFECTS.c.sequence.desc(), EFFECTS.c.number.desc())
    return [_notification(row) for row in rows(connection, statement.limit(limit))]


def _notifications() -> Select[tuple[object, ...]]:
    return select(EFFECTS).where(EFFECTS.c.effect == "notify")


def _notifications_of_incident(connection: Connection, incident: str) -> list[Row]:
    """Give the notices that an incident's timeline tells of: its alert may have fired since."""
    told = select(TIMELINE.c.event_id).where(TIMELINE.c.incident == incident)
    statement = _notifications().where(EFFECTS.c.intended_id.in_(told))
    found = rows(connection, statement.order_by(EFFECTS.c.entity, EFFECTS.c.number).limit(LIMIT))
    return [_notification(row) for row in found]


def _told_without_log(connection: Connection, incident: Row) -> list[Row]:
    """Give who heard of an incident's alerts while the log could not be written, and when."""
    lines = select(TIMELINE.c.entity).where(TIMELINE.c.incident == incident["id"]).distinct()
    alerts = {row["entity"].removeprefix("alert/") for row in rows(connection, lines)}
    told = (
        select(JOURNAL.c.data)
        .where(JOURNAL.c.kind == "platform", JOURNAL.c.type == PlatformToldWithoutLog.type)
        .where(JOURNAL.c.time >= incident["since"])
        .where(JOURNAL.c.time <= (incident["resolved"] or JOURNAL.c.time))
        .order_by(JOURNAL.c.sequence, JOURNAL.c.index)
    )
    found = (
        PlatformToldWithoutLog.model_validate_json(row["data"])
        for row in rows(connection, told.limit(LIMIT))
    )
    return [
        {
            "alert": one.alert,
            "receiver": one.receiver,
            "status": one.status,
            "told_at": moment_text(one.told_at),
        }
        for one in found
        if one.alert in alerts
    ]


def _notification(effect: Row) -> Row:
    """Give a notification: the effect with whom and what it says taken out of its arguments."""
    arguments = effect["arguments"]
    return {
        "alert": effect["entity"].removeprefix("alert/"),
        "receiver": str(arguments.get("receiver", "")),
        "status": str(arguments.get("status", "")),
        **{name: value for name, value in effect.items() if name != "effect"},
    }


def recoveries(connection: Connection, state: str = "", limit: int = LIMIT) -> list[Row]:
    """Give recoveries with their steps, the newest first."""
    statement = select(RECOVERIES).order_by(RECOVERIES.c.sequence.desc())
    if state:
        statement = statement.where(RECOVERIES.c.state == state)
    found = rows(connection, statement.limit(limit))
    return [_with_steps(connection, recovery) for recovery in found]


def recovery_of(connection: Connection, recovery: str) -> Row | None:
    """Give one recovery with its steps and effects, or None."""
    row = first(connection, select(RECOVERIES).where(RECOVERIES.c.id == recovery))
    return None if row is None else _with_steps(connection, row)


def _with_steps(connection: Connection, recovery: Row) -> Row:
    steps = select(STEPS).where(STEPS.c.recovery == recovery["id"]).order_by(STEPS.c.step)
    effects = select(EFFECTS).where(EFFECTS.c.entity == recovery["address"])
    return {
        **recovery,
        "steps": rows(connection, steps),
        "effects": rows(connection, effects.order_by(EFFECTS.c.number).limit(LIMIT)),
    }
