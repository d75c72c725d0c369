"""So many like results in a row make a verdict on a check; the checks make that of a service."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from evaluation.series import Reading
    from events.service import CheckSchedule

RECENT_MAX = 10

Verdict = Literal["healthy", "down", "no data"]


@dataclass(frozen=True, slots=True)
class Undecided:
    """Too little has been seen. After a failing check one success is not enough."""

    was_failing: bool = False


@dataclass(frozen=True, slots=True)
class Succeeding:
    """The check succeeds since the first success of its run, in the message `first`."""

    since: datetime
    first: int


@dataclass(frozen=True, slots=True)
class Failing:
    """The check fails since the first failure of its run, in the message `first`."""

    since: datetime
    first: int


Judgement = Undecided | Succeeding | Failing


@dataclass(frozen=True, slots=True)
class Run:
    """Like results in a row: how many, since when, and in which message the first was."""

    succeeded: bool
    count: int
    since: datetime
    first: int


@dataclass(frozen=True, slots=True)
class Track:
    """All that is kept about one check. `arrived` is when its newest trusted result was stored.

    `distrust` says why results after it count for nothing, where there were any.
    """

    judgement: Judgement = Undecided()
    run: Run | None = None
    recent: tuple[Reading, ...] = ()
    arrived: datetime | None = None
    distrust: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """One check of a service with its track. Before `since` nothing could be expected of it."""

    schedule: CheckSchedule
    track: Track
    since: datetime


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The verdict on a service with what it rests on.

    `observed` is the time of the newest result; `first` and `last` are sequences of messages;
    `recent` holds at most 10 results with their checks' names, oldest first.
    """

    verdict: Verdict
    since: datetime
    observed: datetime
    check: str
    reason: str
    first: int
    last: int
    recent: tuple[tuple[str, Reading], ...]


def window_of(schedule: CheckSchedule) -> timedelta:
    """Give how long a check may be silent before nobody knows how it is."""
    interval, timeout = schedule.interval_seconds, schedule.timeout_seconds
    return timedelta(seconds=max(3 * interval, interval + 2 * timeout))


def observe(track: Track, reading: Reading, arrived: datetime, schedule: CheckSchedule) -> Track:
    """Count one trusted result. One that was counted before, or comes too late, changes nothing.

    After a silence longer than the window counting begins anew. The first verdict takes one
    success; from failing to succeeding it takes the threshold.
    """
    if track.recent and _is_late(reading.time, track.recent[-1].time, window_of(schedule)):
        return track
    if track.arrived is not None and arrived - track.arrived > window_of(schedule):
        track = _after_silence(track)
    run = _continued(track.run, reading)
    return Track(
        judgement=_judged(track.judgement, run, schedule),
        run=run,
        recent=(*track.recent[-RECENT_MAX + 1 :], reading),
        arrived=arrived,
    )


def distrusted(track: Track, reason: str) -> Track:
    """Note why a result counts for nothing."""
    return track if track.distrust == reason else replace(track, distrust=reason)


def is_blind(watch: Watch, now: datetime) -> bool:
    """Say whether the check has been silent for longer than its window."""
    seen = watch.track.arrived
    expected = watch.since if seen is None else max(seen, watch.since)
    return now - expected > window_of(watch.schedule)


def verdict_on(watches: Iterable[Watch], now: datetime) -> Verdict | None:
    """Give the verdict on a service with these checks; None while too little has been seen."""
    blind = undecided = False
    for watch in watches:
        if is_blind(watch, now):
            blind = True
        elif isinstance(watch.track.judgement, Failing):
            return "down"
        else:
            undecided |= not _is_seen_succeeding(watch)
    if blind:
        return "no data"
    return None if undecided else "healthy"


def conclude(watches: Mapping[str, Watch], now: datetime) -> Conclusion | None:
    """Give the verdict on a service, by the names of its checks, with what it rests on."""
    match verdict_on(watches.values(), now):
        case "down":
            return _down(watches, now)
        case "no data":
            return _no_data(watches, now)
        case "healthy":
            return _healthy(watches)
        case None:
            return None


def _is_late(time: datetime, newest: datetime, window: timedelta) -> bool:
    """A result far in the past is not late: the clock that stamps it was set back."""
    return newest - window < time <= newest


def _after_silence(track: Track) -> Track:
    match track.judgement:
        case Undecided():
            return replace(track, run=None)
        case judgement:
            was_failing = isinstance(judgement, Failing)
            return replace(track, run=None, judgement=Undecided(was_failing))


def _continued(run: Run | None, reading: Reading) -> Run:
    if run is None or run.succeeded != reading.succeeded:
        return Run(reading.succeeded, 1, reading.time, reading.sequence)
    return replace(run, count=run.count + 1)


def _judged(judgement: Judgement, run: Run, schedule: CheckSchedule) -> Judgement:
    match judgement:
        case Undecided(was_failing=False) if run.succeeded:
            return Succeeding(run.since, run.first)
        case Undecided() | Failing() if run.succeeded:
            enough = run.count >= schedule.success_threshold
            return Succeeding(run.since, run.first) if enough else judgement
        case Undecided() | Succeeding() if not run.succeeded:
            enough = run.count >= schedule.failure_threshold
            return Failing(run.since, run.first) if enough else judgement
        case _:
            return judgement


def _is_seen_succeeding(watch: Watch) -> bool:
    return isinstance(watch.track.judgement, Succeeding)


def _down(watches: Mapping[str, Watch], now: datetime) -> Conclusion:
    """Blame the check that failed first."""
    failing = [
        (watch.track.judgement.since, name, watch.track.judgement.first)
        for name, watch in watches.items()
        if isinstance(watch.track.judgement, Failing) and not is_blind(watch, now)
    ]
    since, name, first = min(failing)
    recent = watches[name].track.recent
    reason = next((reading.reason for reading in reversed(recent) if not reading.succeeded), "")
    return Conclusion(
        verdict="down",
        since=since,
        observed=recent[-1].time,
        check=name,
        reason=reason,
        first=first,
        last=recent[-1].sequence,
        recent=tuple((name, reading) for reading in recent),
    )


def _healthy(watches: Mapping[str, Watch]) -> Conclusion:
    recent = _newest(watches)
    since = max(
        watch.track.judgement.since
        for watch in watches.values()
        if isinstance(watch.track.judgement, Succeeding)
    )
    return Conclusion(
        verdict="healthy",
        since=since,
        observed=recent[-1][1].time,
        check="",
        reason="",
        first=min(reading.sequence for _, reading in recent),
        last=max(reading.sequence for _, reading in recent),
        recent=recent,
    )


def _no_data(watches: Mapping[str, Watch], now: datetime) -> Conclusion:
    """Name the check that has been silent longest."""
    name, watch = min(
        ((name, watch) for name, watch in watches.items() if is_blind(watch, now)),
        key=lambda item: item[1].track.arrived or item[1].since,
    )
    recent = _newest(watches)
    sequences = [reading.sequence for _, reading in recent]
    silent = watch.track.recent[-1].time if watch.track.recent else watch.since
    return Conclusion(
        verdict="no data",
        since=silent,
        observed=now,
        check=name,
        reason=_why_blind(name, watch),
        first=min(sequences, default=0),
        last=max(sequences, default=0),
        recent=recent,
    )


def _why_blind(name: str, watch: Watch) -> str:
    seconds = window_of(watch.schedule).total_seconds()
    if watch.track.distrust:
        return f"no trusted result of check {name} for {seconds:g} s: {watch.track.distrust}"
    return f"no result of check {name} for {seconds:g} s"


def _newest(watches: Mapping[str, Watch]) -> tuple[tuple[str, Reading], ...]:
    """Give the newest results of all checks, oldest first."""
    results: Sequence[tuple[str, Reading]] = [
        (name, reading) for name, watch in watches.items() for reading in watch.track.recent
    ]
    ordered = sorted(results, key=lambda item: (item[1].time, item[0]))
    return tuple(ordered[-RECENT_MAX:])
