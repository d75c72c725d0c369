"""Every id becomes one token of a subject and one bucket, and comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.address import ID_BYTES_MAX, EntityAddress, InvalidAddressError, decode_token
from events.subjects import (
    bucket_in,
    checkpoint_subject,
    command_filter,
    command_subject,
    control_subject,
    entity_of,
    executor_subject,
    state_filter,
    state_subject,
    telemetry_subject,
)

ids = st.text(min_size=1, max_size=60).filter(
    lambda text: text.isprintable() and len(text.encode("utf-8", "surrogatepass")) <= ID_BYTES_MAX
)


@given(ids)
def test_any_id_is_one_token_and_comes_back(entity_id: str) -> None:
    address = EntityAddress("service", entity_id)
    assert decode_token(address.token) == entity_id
    assert not set(address.token) & set(".*> \t")
    assert address.token.isascii()
    assert 0 <= address.bucket <= 255
    assert EntityAddress.parse(str(address)) == address
    assert entity_of(state_subject(address)) == address
    assert bucket_in(state_subject(address)) == ("service", address.bucket)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("service", "KIND/ID"),
        ("", "KIND/ID"),
        ("/x", "lower-case"),
        ("Service/x", "lower-case"),
        ("ser.vice/x", "lower-case"),
        ("service/", "1 to 200 bytes"),
        ("service/" + "x" * 201, "1 to 200 bytes"),
        ("service/" + "ü" * 101, "1 to 200 bytes"),
        ("service/a\nb", "printable"),
        ("service/a\x00b", "printable"),
        ("service/\ud800", "printable"),
    ],
)
def test_what_could_not_be_stored_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(InvalidAddressError, match=why):
        EntityAddress.parse(text)


def test_an_id_may_hold_slashes_and_a_kind_hyphens() -> None:
    assert EntityAddress.parse("a-1/x/y/z") == EntityAddress("a-1", "x/y/z")


def test_buckets_never_change() -> None:
    """A bucket is stored in subjects: another hash would lose every entity."""
    buckets = [EntityAddress("service", name).bucket for name in ("db", "app", "demo.app", "ü")]
    assert buckets == BUCKETS


BUCKETS = [155, 140, 127, 226]


def test_subjects_are_as_they_are_stored() -> None:
    address = EntityAddress("service", "demo.app")
    bucket = f"{address.bucket:02x}"
    assert state_subject(address) == f"sf.service.{bucket}.demo%2Eapp"
    assert command_subject(address) == f"sfc.service.{bucket}.demo%2Eapp"
    assert (state_filter("service"), state_filter("service", 10)) == (
        "sf.service.>",
        "sf.service.0a.>",
    )
    assert (command_filter("service"), command_filter("service", 10)) == (
        "sfc.service.>",
        "sfc.service.0a.>",
    )
    assert checkpoint_subject("service", 10, 2) == "sfk.service.0a.2"
    assert telemetry_subject("prober", "x") == "sft.prober.x"
    assert executor_subject("executor") == "sfx.executor"
    assert control_subject("h1", "describe") == "sfp.h1.describe"


@pytest.mark.parametrize("subject", ["sf.service.aa", "sft.service.aa.x", "sf.service.aa.x.y", ""])
def test_a_subject_of_another_shape_has_no_entity(subject: str) -> None:
    with pytest.raises(InvalidAddressError):
        entity_of(subject)


def test_a_subject_without_a_bucket_names_none() -> None:
    assert bucket_in("sf.service.zz.x") == ("", -1)
    assert bucket_in("sf") == ("", -1)
