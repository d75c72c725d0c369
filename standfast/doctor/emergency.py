"""What stands when the rest falls: the watchdog, its receivers, the switch outside, the spool."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from standfast.doctor.finding import error, ok, warning
from standfast.emergency.records import outage_in
from standfast.emergency.spool import SPOOL, read_spool
from standfast.supervisor.processes import WATCHDOG
from standfast.watchdog.faults import receivers_of
from standfast.watchdog.status import STATUS, read_status

if TYPE_CHECKING:
    from standfast.doctor.finding import Finding, Patient
    from standfast.watchdog.status import WatchdogStatus

STALE_SECONDS = 15.0


async def watchdog(patient: Patient) -> list[Finding]:
    """Look whether the watchdog watches, whom it would tell, and what it tells just now."""
    if patient.situation is None or patient.supervisor_pid is None:
        return []
    look = f"tail -n 50 {patient.directory.processes / 'watchdog.log'}"
    status = read_status(patient.directory.watchdog / STATUS)
    if status is None or _age_seconds(status.written) > STALE_SECONDS:
        last = "never" if status is None else f"at {status.written:%H:%M:%S} UTC"
        return [error(WATCHDOG, f"it does not watch; it was last heard of: {last}", look)]
    found = [_heart(status, look), *_pages(status), *_dead_man(status)]
    if not receivers_of(patient.situation.configuration):
        text = "nobody is told when Standfast falls silent: no receiver is configured"
        found.append(warning(WATCHDOG, text, "standfast check-config FILE"))
    found += [
        error("receivers", f"{name} could not be told: {trouble}", look)
        for name, trouble in sorted(status.troubles.items())
    ]
    return found


def _heart(status: WatchdogStatus, look: str) -> Finding:
    if status.is_fresh:
        return ok(WATCHDOG, "the heart beats through prober, log and projections")
    since = "was ever heard" if status.heard is None else f"since {status.heard:%H:%M:%S} UTC"
    return error(WATCHDOG, f"no heartbeat through prober, log and projections {since}", look)


def _pages(status: WatchdogStatus) -> list[Finding]:
    return [
        error("page", f"{one.summary} (since {one.opened:%H:%M:%S} UTC, told {_names(one.heard)})")
        for one in status.pages
    ]


def _names(receivers: tuple[str, ...]) -> str:
    return ", ".join(receivers) or "nobody yet"


def _dead_man(status: WatchdogStatus) -> list[Finding]:
    if status.dead_man_trouble:
        last = status.dead_man_answered
        since = f"; it answered last at {last:%H:%M:%S} UTC" if last else ""
        text = (
            f"the outside does not hear us: {status.dead_man_trouble}{since}. Ask its host alone: "
            "the address itself would take that for a sign of life"
        )
        return [error("dead man's switch", text, "curl --head https://HOST/")]
    if status.dead_man_answered is None:
        return []
    return [ok("dead man's switch", f"it answered at {status.dead_man_answered:%H:%M:%S} UTC")]


async def spool(patient: Patient) -> list[Finding]:
    """Look whether something waits until the log takes it."""
    outage = outage_in(read_spool(patient.directory.emergency / SPOOL))
    if outage is None:
        return []
    count, since = len(outage.conclusions), outage.began.since
    text = (
        f"since {since:%Y-%m-%d %H:%M:%S} UTC the log takes nothing: {outage.began.reason}; "
        f"{count} conclusions wait for it, and people are told without it"
    )
    return [error("emergency", text, f"tail -n 50 {patient.directory.processes / 'log.log'}")]


def _age_seconds(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()
