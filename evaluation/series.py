"""From the samples of a batch to what they say: one result for each probe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from events.telemetry import Row, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from events.telemetry import Batch, Labels

SUCCESS = "probe_success"
DURATION = "probe_duration_seconds"
REASON = "reason"


@dataclass(frozen=True, slots=True)
class Reading:
    """One probe of a check, as the telemetry has it; `sequence` is that of its message."""

    time: datetime
    succeeded: bool
    duration_seconds: float
    reason: str
    sequence: int


def probe_rows(
    service: str, check: str, time: datetime, *, succeeded: bool, seconds: float, reason: str
) -> tuple[Row, Row]:
    """Give the samples of one probe: whether it succeeded, and how long it took."""
    details = {REASON: reason} if reason else None
    return (
        Row(labels_of(SUCCESS, service=service, check=check), time, float(succeeded), details),
        Row(labels_of(DURATION, service=service, check=check), time, seconds),
    )


def readings_of(batch: Batch, sequence: int) -> Iterator[tuple[str, str, Reading]]:
    """Give (service, check, reading) for each probe in a batch, in the batch's order."""
    names = [_probe_of(labels) for labels in batch.labels]
    samples = list(
        zip(batch.series.tolist(), batch.offsets.tolist(), batch.values.tolist(), strict=True)
    )
    durations = {
        (names[series][1:], offset): value
        for series, offset, value in samples
        if names[series][0] == DURATION
    }
    for index, (series, offset, value) in enumerate(samples):
        metric, service, check = names[series]
        if metric == SUCCESS and value in (0.0, 1.0):
            reading = Reading(
                time=batch.start + timedelta(milliseconds=offset),
                succeeded=value == 1.0,
                duration_seconds=durations.get(((service, check), offset), 0.0),
                reason=str(batch.details.get(index, {}).get(REASON, "")),
                sequence=sequence,
            )
            yield service, check, reading


def _probe_of(labels: Labels) -> tuple[str, str, str]:
    """Give (metric, service, check); empty texts where a label is missing."""
    named = dict(labels)
    return named.get("__name__", ""), named.get("service", ""), named.get("check", "")
