"""The last probes of every service, in memory: bounded, and read again from telemetry."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.telemetry import Batch, Labels

POINTS = 60
SERIES_MAX = 10_000
SUCCESS = "probe_success"
DURATION = "probe_duration_seconds"
UNTRUSTED = -1
FAILED = -1.0
_UNSEEN = -2

Key = tuple[str, str]
"""A service's id and the name of one of its checks."""


@dataclass(frozen=True, slots=True)
class Point:
    """One probe: when, how long it took, and whether it succeeded; None if nobody can say."""

    time: datetime
    seconds: float | None
    success: bool | None


class LatencyWindow:
    """The last 60 probes of each check, of at most 10,000 checks. Safe to read from any thread."""

    def __init__(self, series_max: int = SERIES_MAX, points: int = POINTS) -> None:
        """Hold nothing yet. The check that was silent longest makes room for a new one."""
        self._series_max = series_max
        self._points = points
        self._places: OrderedDict[Key, int] = OrderedDict()
        self._checks: dict[str, list[str]] = {}
        self._times = np.full((series_max, points), np.nan)
        self._seconds = np.full((series_max, points), np.nan, dtype=np.float32)
        self._success = np.full((series_max, points), _UNSEEN, dtype=np.int8)
        self._counts = np.zeros(series_max, dtype=np.int64)
        self._revisions = np.zeros(series_max, dtype=np.int64)
        self._lock = Lock()
        self.revision = 0

    def add(self, batch: Batch) -> None:
        """Take in the probes of a batch; those seen under a stall or a failed canary are unsure."""
        untrusted = batch.vantage.lagged or batch.vantage.canary_failed
        keys = [_key(labels) for labels in batch.labels]
        start = batch.start.timestamp()
        series, offsets = batch.series.tolist(), batch.offsets.tolist()
        with self._lock:
            self.revision += 1
            for index, value in enumerate(batch.values.tolist()):
                found = keys[series[index]]
                if found is not None:
                    name, key = found
                    time = start + offsets[index] / 1000
                    self._put(name, key, time, value, untrusted=untrusted)

    def points(self, service: str, check: str = "") -> list[Point]:
        """Give a service's last probes by one of its checks (the first seen), oldest first."""
        with self._lock:
            place, order = self._find(service, check)
            if place is None:
                return []
            times = self._times[place, order].tolist()
            seconds = self._seconds[place, order].tolist()
            success = self._success[place, order].tolist()
        return [_point(*values) for values in zip(times, seconds, success, strict=True)]

    def values(self, service: str, check: str = "") -> list[float | None]:
        """Give the same probes as milliseconds: -1 for a failed one, None for an unsure one."""
        with self._lock:
            place, order = self._find(service, check)
            if place is None:
                return []
            seconds = self._seconds[place, order]
            success = self._success[place, order]
        shown = np.where(success == 0, FAILED, np.nan_to_num(seconds * 1_000))
        pairs = zip(shown.tolist(), success.tolist(), strict=True)
        return [None if known < 0 else round(value, 1) for value, known in pairs]

    def checks(self, service: str) -> list[str]:
        """Give the names of a service's checks that were seen."""
        with self._lock:
            return list(self._checks.get(service, ()))

    def held(self) -> list[Key]:
        """Give all checks that are held."""
        with self._lock:
            return list(self._places)

    def changed(self, after: int, limit: int) -> tuple[list[str], int]:
        """Give services with probes newer than a revision, and the revision to go on from.

        Where more than `limit` changed, the rest come with the next question.
        """
        with self._lock:
            places = [(int(self._revisions[p]), key) for key, p in self._places.items()]
            newest = self.revision
        fresh = sorted(entry for entry in places if entry[0] > after)
        if len(fresh) <= limit:
            return [key[0] for _, key in fresh], newest
        last = fresh[limit - 1][0]
        return [key[0] for revision, key in fresh if revision <= last], last

    def _find(self, service: str, check: str) -> tuple[int | None, list[int]]:
        """Give where a check's probes are, and their columns, oldest first."""
        names = self._checks.get(service, [])
        place = self._places.get((service, check or (names[0] if names else "")))
        if place is None:
            return None, []
        count = int(self._counts[place])
        return place, [i % self._points for i in range(max(0, count - self._points), count)]

    def _put(self, name: str, key: Key, time: float, value: float, *, untrusted: bool) -> None:
        place = self._place(key)
        column = self._column(place, time)
        if column is None:
            return
        if name == DURATION:
            self._seconds[place, column] = value
        else:
            self._success[place, column] = UNTRUSTED if untrusted else int(value > 0)
        self._revisions[place] = self.revision

    def _place(self, key: Key) -> int:
        place = self._places.get(key)
        if place is not None:
            self._places.move_to_end(key)
            return place
        if len(self._places) < self._series_max:
            place = len(self._places)
        else:
            gone, place = self._places.popitem(last=False)
            self._checks[gone[0]].remove(gone[1])
            if not self._checks[gone[0]]:
                del self._checks[gone[0]]
        self._counts[place] = 0
        self._places[key] = place
        self._checks.setdefault(key[0], []).append(key[1])
        return place

    def _column(self, place: int, time: float) -> int | None:
        """Give the column of a probe's time: the newest, a new one, or None for an older one."""
        count = int(self._counts[place])
        column = (count - 1) % self._points
        if count and self._times[place, column] == time:
            return column
        if count and time < self._times[place, column]:
            return None
        column = count % self._points
        self._times[place, column] = time
        self._seconds[place, column] = np.nan
        self._success[place, column] = _UNSEEN
        self._counts[place] = count + 1
        return column


def _key(labels: Labels) -> tuple[str, Key] | None:
    pairs = dict(labels)
    name, service = pairs.get("__name__", ""), pairs.get("service", "")
    if name not in {SUCCESS, DURATION} or not service:
        return None
    return name, (service.removeprefix("service/"), pairs.get("check", ""))


def _point(time: float, seconds: float, success: int) -> Point:
    return Point(
        time=datetime.fromtimestamp(time, UTC),
        seconds=None if np.isnan(seconds) else round(seconds, 6),
        success=None if success < 0 else bool(success),
    )


def points_json(points: Sequence[Point]) -> list[dict[str, object]]:
    """Give points as JSON objects: time (RFC 3339), seconds, success."""
    return [
        {
            "time": point.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "seconds": point.seconds,
            "success": point.success,
        }
        for point in points
    ]
