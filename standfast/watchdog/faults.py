"""What the watchdog sees wrong with Standfast itself, in words for people."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from standfast.watchdog.pages import Page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from standfast.config.model import Configuration
    from standfast.emergency.records import Outage
    from standfast.watchdog.sight import Absence, Sight

SILENT = "StandfastSilent"
IMPAIRED = "StandfastImpaired"
LOG_AWAY = "LogAway"
UNNAMED = "ServicesUnnamed"
_MINOR = frozenset({"web"})


def receivers_of(configuration: Configuration) -> tuple[str, ...]:
    """Give who is told of Standfast's own faults."""
    return configuration.watchdog.receivers or configuration.alerting.receivers


def silent_page(
    configuration: Configuration, sight: Sight, heard: datetime | None, now: datetime
) -> Page:
    """Give the page for a heartbeat that does not come."""
    since = "was ever heard" if heard is None else f"since {heard:%Y-%m-%d %H:%M:%S} UTC"
    summary = f"Standfast is silent: no heartbeat {since}"
    return _page(configuration, SILENT, "critical", (summary, silence_text(sight)), now)


def silence_text(sight: Sight) -> str:
    """Say who is gone, who is not, and what that means."""
    gone = ", ".join(str(one) for one in sight.absent.values())
    left = ", ".join(sight.present)
    parts = [
        f"Of its processes these do not work: {gone}." if gone else "All its processes run.",
        f"Still there: {left}." if gone and left else "",
        "What it watches may fail unnoticed.",
        _where_to_look(is_gone="supervisor" in sight.absent),
    ]
    return " ".join(part for part in parts if part)


def impaired_page(configuration: Configuration, absent: Sequence[Absence], now: datetime) -> Page:
    """Give the page for processes that stay away while the heart beats."""
    names = {one.name for one in absent}
    severity = "warning" if names <= _MINOR else "critical"
    return _page(configuration, IMPAIRED, severity, impairment(absent), now)


def log_page(configuration: Configuration, outage: Outage, now: datetime) -> Page:
    """Give the page for a log that takes nothing."""
    began = outage.began
    summary = f"Standfast's log takes nothing: {began.reason}"
    services = f"{began.services} services are" if began.services != 1 else "1 service is"
    since = f"since {began.since:%Y-%m-%d %H:%M:%S} UTC"
    description = (
        f"Nothing can be written {since}. {services} watched without it, and what fails is told "
        f"from here; the log is told later. {_where_to_look(is_gone=False)}"
    )
    page = _page(configuration, LOG_AWAY, "critical", (summary, description), now)
    return page.model_copy(update={"id": log_page_id(outage)})


def unkept_page(configuration: Configuration, outage: Outage, now: datetime) -> Page:
    """Give the page for changes of services that could not be named: they were too many."""
    page = _page(configuration, UNNAMED, "critical", unkept_texts(outage), now)
    return page.model_copy(update={"id": unkept_page_id(outage)})


def unkept_page_id(outage: Outage) -> str:
    """Give the id of that page."""
    return f"{UNNAMED}-{outage.id}"


def unkept_texts(outage: Outage) -> tuple[str, str]:
    """Give summary and description of what could not be named."""
    summary = f"About {outage.unkept} more changes of services can't be told one by one"
    description = (
        "So many services failed or recovered while the log takes nothing that not all are kept "
        f"beside it; the log is told of each later. {_where_to_look(is_gone=False)}"
    )
    return summary, description


def log_page_id(outage: Outage) -> str:
    """Give the id of the page for the log itself."""
    return f"{LOG_AWAY}-{outage.id}"


def impairment(absent: Sequence[Absence]) -> tuple[str, str]:
    """Give summary and description of processes that stay away."""
    summary = f"Standfast is impaired: {', '.join(one.name for one in absent)} does not work"
    told = ", ".join(str(one) for one in absent)
    look = _where_to_look(is_gone=any(one.name == "supervisor" for one in absent))
    return summary, f"The heart still beats, but these do not work: {told}. {look}"


def annotations_of(texts: tuple[str, str]) -> dict[str, str]:
    """Give a page's annotations."""
    return {"summary": texts[0], "description": texts[1]}


def _where_to_look(*, is_gone: bool) -> str:
    command = "standfast up" if is_gone else "standfast doctor"
    return f"On {socket.gethostname()}: {command}"


def _page(
    configuration: Configuration, alert: str, severity: str, texts: tuple[str, str], now: datetime
) -> Page:
    labels = {
        "alertname": alert,
        "severity": severity,
        "platform": configuration.platform.name,
        "cell": configuration.platform.cell,
    }
    return Page(
        id=f"{alert}-{now:%Y%m%dT%H%M%S.%f}",
        alert=alert,
        labels=labels,
        annotations=annotations_of(texts),
        receivers=receivers_of(configuration),
        opened=now,
    )
