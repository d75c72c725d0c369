"""Any batch comes back as it was written, and any other bytes are refused as unreadable."""

from __future__ import annotations

import math
import random
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.telemetry import (
    STALE_BITS,
    Batch,
    Row,
    UnreadableTelemetryError,
    Vantage,
    batch_of,
    decode_batch,
    encode_batch,
    labels_of,
    stale_marker,
)

VANTAGE = Vantage("platform", "cell", "prober-1", "build")
START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)

texts = st.text(max_size=20)
series = st.builds(
    lambda name, service, check: labels_of(name, service=service, check=check),
    st.sampled_from(["probe_success", "probe_duration_seconds"]),
    texts,
    texts,
)
values = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.just(stale_marker()), st.sampled_from([0, 1])
)
details: st.SearchStrategy[dict[str, Any] | None] = st.one_of(
    st.none(), st.just({}), st.dictionaries(texts, st.one_of(texts, st.integers(0, 9), st.none()))
)
times = st.integers(0, 3_600_000).map(lambda offset: START + timedelta(milliseconds=offset))
rows = st.builds(Row, series, times, values.map(float), details)
vantages = st.builds(Vantage, texts, texts, texts, texts, st.booleans(), st.booleans())


def bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


@given(vantages, st.lists(rows, min_size=1, max_size=50))
def test_a_batch_comes_back_as_it_was_written(vantage: Vantage, written: list[Row]) -> None:
    batch = decode_batch(encode_batch(batch_of(vantage, written)))
    assert batch.vantage == vantage
    read = list(batch.rows())
    assert [row.labels for row in read] == [row.labels for row in written]
    assert [row.time for row in read] == [row.time for row in written]
    assert [row.details or None for row in read] == [row.details or None for row in written]
    for before, after in zip(written, read, strict=True):
        if math.isnan(before.value):
            assert math.isnan(after.value)
        assert bits(after.value) == bits(before.value)


def test_a_stale_marker_keeps_its_bits_and_differs_from_other_nans() -> None:
    written = [
        Row(labels_of("up"), START, stale_marker()),
        Row(labels_of("up"), START, math.nan),
    ]
    stale, nan = decode_batch(encode_batch(batch_of(VANTAGE, written))).rows()
    assert bits(stale.value) == STALE_BITS
    assert bits(nan.value) != STALE_BITS


def test_the_sparse_columns_come_back() -> None:
    batch = Batch(
        vantage=VANTAGE,
        start=START,
        labels=(labels_of("requests_total"), labels_of("latency_seconds")),
        series=np.array([0, 1], dtype=np.uint32),
        offsets=np.array([0, -1], dtype=np.int32),
        values=np.array([3.0, 0.0]),
        created={0: START},
        histograms={1: ((0.1, 1.0), (2, 3))},
        exemplars={1: (("trace_id", "a"), 0.5)},
        details={1: {}},
    )
    read = decode_batch(encode_batch(batch))
    assert read.created == batch.created
    assert read.histograms == batch.histograms
    assert read.exemplars == batch.exemplars
    assert read.details == batch.details
    assert [row.time for row in read.rows()] == [START, START - timedelta(milliseconds=1)]


def test_five_hundred_damaged_batches_are_unreadable_or_still_whole() -> None:
    chance = random.Random(20261125)
    whole = encode_batch(
        batch_of(VANTAGE, [Row(labels_of("up", a="b"), START, 1.0, {"reason": "x"})] * 3)
    )
    refused = sum(is_refused(damaged(whole, chance)) for _ in range(500))
    assert refused > 250


def damaged(whole: bytes, chance: random.Random) -> bytes:
    match chance.randrange(4):
        case 0:
            return whole[: chance.randrange(len(whole))]
        case 1:
            place = chance.randrange(len(whole))
            return whole[:place] + bytes([chance.randrange(256)]) + whole[place + 1 :]
        case 2:
            place = chance.randrange(len(whole))
            return whole[:place] + chance.randbytes(chance.randrange(1, 9)) + whole[place:]
        case _:
            return chance.randbytes(chance.randrange(200))


def is_refused(payload: bytes) -> bool:
    """Whatever decodes must also be readable to its last sample."""
    try:
        batch = decode_batch(payload)
    except UnreadableTelemetryError:
        return True
    assert len(list(batch.rows())) == len(batch)
    return False


anything: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(), texts)
    | st.binary(max_size=16),
    lambda inner: st.lists(inner, max_size=14) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=20,
)


@given(st.lists(anything, min_size=1, max_size=14))
@settings(max_examples=150)
def test_any_other_message_pack_is_unreadable(fields: list[Any]) -> None:
    with pytest.raises(UnreadableTelemetryError):
        decode_batch(msgpack.packb(fields))


@given(st.integers(1, 12), anything)
@settings(max_examples=300)
def test_one_wrong_field_is_refused_or_harmless(place: int, wrong: object) -> None:
    payload = encode_batch(batch_of(VANTAGE, [Row(labels_of("up"), START, 1.0)]))
    fields = msgpack.unpackb(payload, timestamp=0)
    fields[place] = wrong
    is_refused(msgpack.packb(fields))


@pytest.mark.parametrize("payload", [b"", b"\x80", b"\x90", b"\x91\x02", b"\xc0", b"\xc1", b"\x01"])
def test_the_smallest_strangers_are_unreadable(payload: bytes) -> None:
    with pytest.raises(UnreadableTelemetryError):
        decode_batch(payload)
