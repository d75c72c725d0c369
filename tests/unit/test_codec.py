"""A stored type is known for ever, lifted where it is old, and never skipped where it is new."""

from __future__ import annotations

from datetime import UTC, datetime

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from events.address import EntityAddress
from events.base import Event, Origin
from events.codec import UPCASTERS, UnknownEventError, decode_event, upcaster
from events.commit import (
    Author,
    Commit,
    Head,
    UnreadableCommitError,
    decode_commit,
    encode_commit,
    fact_of,
)
from events.ids import new_id
from events.service import ServiceProbeRequested

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ENTITY = EntityAddress("service", "db")
COMMIT = Commit(
    id="c",
    entity=ENTITY,
    previous=Head(3, b"digest"),
    decided=NOW,
    author=Author("p", "c", "b"),
    origins=(Origin("command", "person:ann", "/test", NOW, "command"),),
    facts=(fact_of(ServiceProbeRequested(reason="x"), 0),),
)


def test_fields_that_do_not_fit_raise() -> None:
    with pytest.raises(ValidationError):
        decode_event(ServiceProbeRequested.type, {"reason": 7})
    with pytest.raises(ValidationError):
        decode_event(ServiceProbeRequested.type, {"reason": "x", "more": 1})
    with pytest.raises(UnknownEventError, match="flew"):
        decode_event("standfast.service.flew.v1", {})


@pytest.mark.parametrize("stored_type", ["x", "standfast.a.v1", "other.a.b.v1", "standfast.a.b.1"])
def test_a_type_has_its_form(stored_type: str) -> None:
    with pytest.raises(TypeError, match="a type is"):

        class Strange(Event, type=stored_type):
            """Nothing."""


def test_a_type_is_taken_once() -> None:
    with pytest.raises(TypeError, match="taken by ServiceProbeRequested"):

        class Second(Event, type=ServiceProbeRequested.type):
            """Nothing."""


def test_an_old_type_is_lifted_in_one_way() -> None:
    lift = upcaster("standfast.test.old.v1", ServiceProbeRequested.type)
    lift(lambda data: data)
    try:
        with pytest.raises(AssertionError, match="lifted twice"):
            lift(lambda data: data)
    finally:
        del UPCASTERS["standfast.test.old.v1"]


def test_a_commit_comes_back_as_it_was() -> None:
    assert decode_commit(encode_commit(COMMIT), ENTITY) == COMMIT


@given(st.binary(max_size=200))
def test_any_bytes_are_a_commit_or_refused(payload: bytes) -> None:
    with pytest.raises(UnreadableCommitError):
        decode_commit(payload, ENTITY)


@given(st.integers(0, 10), st.sampled_from([None, 7, "x", [], {}, b"y", -1, 2**63, [[]], [[1, 2]]]))
def test_a_commit_with_one_field_replaced_is_read_whole_or_refused(
    place: int, value: object
) -> None:
    fields = msgpack.unpackb(encode_commit(COMMIT), timestamp=3)
    fields[place] = value
    try:
        commit = decode_commit(msgpack.packb(fields, datetime=True), ENTITY)
    except UnreadableCommitError:
        return
    assert all(0 <= fact.origin < len(commit.origins) for fact in commit.facts)
    assert isinstance(commit.decided, datetime)


@given(st.data())
def test_a_damaged_commit_is_read_or_refused(data: st.DataObject) -> None:
    payload = bytearray(encode_commit(COMMIT))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] = data.draw(st.integers(0, 255))
    try:
        decode_commit(bytes(payload), ENTITY)
    except UnreadableCommitError:
        return


def test_ids_are_new_and_sort_by_time() -> None:
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert [one[:12] for one in made] == sorted(one[:12] for one in made)
    assert {len(one) for one in made} == {32}
