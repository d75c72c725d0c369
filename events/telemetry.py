"""Telemetry: samples in columns, many in a message, each message readable by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgpack
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

FORMAT = 1
SAMPLES_MAX = 500
STALE_BITS = 0x7FF0_0000_0000_0002
"""The bit pattern of a stale marker, as Prometheus writes it (a signalling NaN)."""

Labels = tuple[tuple[str, str], ...]
"""The identity of a series: label pairs sorted by name, the metric's name under `__name__`."""


class UnreadableTelemetryError(ValueError):
    """The bytes are not telemetry of a format that is known here."""


def labels_of(name: str, **labels: str) -> Labels:
    """Give the identity of a series."""
    return tuple(sorted({"__name__": name, **labels}.items()))


def stale_marker() -> float:
    """Give the value that says that a series has ended."""
    return float(np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0])


@dataclass(frozen=True, slots=True)
class Vantage:
    """Who saw it, from where, and whether the process that saw it can be trusted just then."""

    platform: str
    cell: str
    producer: str
    build: str
    lagged: bool = False
    canary_failed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One sample: a series, when, its value, and what else is known of it."""

    labels: Labels
    time: datetime
    value: float
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples of one vantage point in columns.

    `series[i]`, `offsets[i]` (milliseconds after `start`) and `values[i]` are one sample;
    `series` holds indexes into `labels`. The sparse columns map a sample's index to the
    counter's creation (`created`), a histogram (`histograms`: bounds and counts), an exemplar
    (`exemplars`: labels and value) or free details (`details`: a reason, for one).
    """

    vantage: Vantage
    start: datetime
    labels: tuple[Labels, ...]
    series: NDArray[np.uint32]
    offsets: NDArray[np.int32]
    values: NDArray[np.float64]
    created: Mapping[int, datetime] = field(default_factory=dict)
    histograms: Mapping[int, Any] = field(default_factory=dict)
    exemplars: Mapping[int, Any] = field(default_factory=dict)
    details: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Give the number of samples."""
        return len(self.values)

    def rows(self) -> Iterator[Row]:
        """Give the samples one by one."""
        for index in range(len(self.values)):
            yield Row(
                labels=self.labels[self.series[index]],
                time=self.start + timedelta(milliseconds=int(self.offsets[index])),
                value=float(self.values[index]),
                details=self.details.get(index),
            )


def batch_of(vantage: Vantage, rows: Sequence[Row]) -> Batch:
    """Put rows (at least one) into columns."""
    assert rows, "a batch has at least one sample"
    index: dict[Labels, int] = {}
    start = min(row.time for row in rows)
    series = [index.setdefault(row.labels, len(index)) for row in rows]
    return Batch(
        vantage=vantage,
        start=start,
        labels=tuple(index),
        series=np.array(series, dtype=np.uint32),
        offsets=np.array(
            [round((row.time - start).total_seconds() * 1000) for row in rows], dtype=np.int32
        ),
        values=np.array([row.value for row in rows], dtype=np.float64),
        details={place: row.details for place, row in enumerate(rows) if row.details},
    )


def encode_batch(batch: Batch) -> bytes:
    """Give the bytes of a batch: a msgpack array, its columns little-endian."""
    vantage = batch.vantage
    fields = (
        FORMAT,
        (vantage.platform, vantage.cell, vantage.producer, vantage.build),
        vantage.lagged,
        vantage.canary_failed,
        batch.start.astimezone(UTC),
        [[part for pair in labels for part in pair] for labels in batch.labels],
        batch.series.astype("<u4", copy=False).tobytes(),
        batch.offsets.astype("<i4", copy=False).tobytes(),
        batch.values.astype("<f8", copy=False).tobytes(),
        list(batch.created.items()),
        list(batch.histograms.items()),
        list(batch.exemplars.items()),
        list(batch.details.items()),
    )
    return bytes(msgpack.packb(fields, datetime=True))


def decode_batch(payload: bytes) -> Batch:
    """Read the bytes of a batch. Raises `UnreadableTelemetryError`."""
    try:
        return _batch_from(msgpack.unpackb(payload, timestamp=3, use_list=False))
    except (ValueError, TypeError, LookupError, ArithmeticError, msgpack.UnpackException) as error:
        message = f"not telemetry: {type(error).__name__}: {error}"
        raise UnreadableTelemetryError(message) from error


def _batch_from(fields: Any) -> Batch:  # noqa: ANN401  (whatever the bytes held)
    """Build a batch; any error means that the fields are not those of one."""
    _require(fields[0] == FORMAT, f"format {fields[0]!r}, known here: {FORMAT}")
    platform, cell, producer, build = fields[1]
    batch = Batch(
        vantage=Vantage(platform, cell, producer, build, bool(fields[2]), bool(fields[3])),
        start=fields[4],
        labels=tuple(_pairs(flat) for flat in fields[5]),
        series=np.frombuffer(fields[6], dtype="<u4"),
        offsets=np.frombuffer(fields[7], dtype="<i4"),
        values=np.frombuffer(fields[8], dtype="<f8"),
        created=_column(fields[9]),
        histograms=_column(fields[10]),
        exemplars=_column(fields[11]),
        details=_column(fields[12]),
    )
    _check_samples(batch)
    return batch


def _check_samples(batch: Batch) -> None:
    """Find now what would fail later, when the samples are read one by one."""
    count = len(batch)
    _require(len(batch.series) == len(batch.offsets) == count, "columns differ in length")
    if count:
        _require(int(batch.series.max()) < len(batch.labels), "a series has no labels")
        for offset in (batch.offsets.min(), batch.offsets.max()):
            _require(bool(batch.start + timedelta(milliseconds=int(offset))), "no time")
    for column in (batch.created, batch.histograms, batch.exemplars, batch.details):
        _require(all(0 <= index < count for index in column), "a sample is not there")
    _require(all(isinstance(d, dict) for d in batch.details.values()), "details are no mapping")


def _require(condition: bool, mistake: str) -> None:  # noqa: FBT001  (it is all there is)
    if not condition:
        raise UnreadableTelemetryError(mistake)


def _column(pairs: tuple[tuple[int, Any], ...]) -> dict[int, Any]:
    column = dict(pairs)
    _require(all(isinstance(index, int) for index in column), "an index is no number")
    return column


def _pairs(flat: tuple[str, ...]) -> Labels:
    _require(all(isinstance(part, str) for part in flat), "a label is not text")
    return tuple(zip(flat[::2], flat[1::2], strict=True))
