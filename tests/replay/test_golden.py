"""What a released version wrote is read by every later one, and written alike until it has a v2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from events.address import EntityAddress
from events.base import Event
from events.codec import UPCASTERS
from events.commit import decode_commit, encode_commit, fact_of
from tests.replay.examples import example_batch_bytes, example_bytes
from tests.replay.write_golden import (
    BATCH,
    GOLDEN,
    main,
    readable,
    readable_batch,
    stored_types,
)

GOLDEN_TYPES = sorted(path.stem for path in GOLDEN.glob("*.hex") if path.stem != BATCH)
ENTITY = EntityAddress("service", "demo.app *ü/1")


def golden_bytes(name: str) -> bytes:
    return bytes.fromhex((GOLDEN / f"{name}.hex").read_text())


def golden_meaning(name: str) -> object:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def test_every_stored_type_has_golden_bytes() -> None:
    missing = set(stored_types()) - set(GOLDEN_TYPES)
    assert not missing, f"python -m tests.replay.write_golden writes those of {sorted(missing)}"
    assert (GOLDEN / f"{BATCH}.hex").exists()


def test_no_released_type_was_dropped() -> None:
    known = {*Event.registry, *UPCASTERS}
    assert set(GOLDEN_TYPES) <= known, "an old type needs an upcaster for as long as logs live"


@pytest.mark.parametrize("name", GOLDEN_TYPES)
def test_golden_bytes_mean_what_they_meant(name: str) -> None:
    meaning = json.loads(json.dumps(readable(golden_bytes(name), ENTITY)))
    assert meaning == golden_meaning(name)


@pytest.mark.parametrize("name", sorted(set(GOLDEN_TYPES) & set(stored_types())))
def test_the_same_values_are_still_written_as_the_same_bytes(name: str) -> None:
    assert example_bytes(name) == golden_bytes(name)


@pytest.mark.parametrize("name", sorted(set(GOLDEN_TYPES) & set(stored_types())))
def test_what_was_read_is_written_again_as_it_was(name: str) -> None:
    commit = decode_commit(golden_bytes(name), ENTITY)
    events = [Event.registry[fact.type].model_validate(fact.data) for fact in commit.facts]
    facts = tuple(fact_of(event, place) for place, event in enumerate(events))
    assert encode_commit(replace(commit, facts=facts)) == golden_bytes(name)


def test_golden_telemetry_means_what_it_meant_and_is_still_written_alike() -> None:
    assert readable_batch(golden_bytes(BATCH)) == golden_meaning(BATCH)
    assert example_batch_bytes() == golden_bytes(BATCH)


def test_golden_files_are_never_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.replay.write_golden.GOLDEN", tmp_path)
    assert main() == 0
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert main() == 0
    changed = tmp_path / f"{stored_types()[0]}.hex"
    changed.write_text("00\n")
    assert main() == 1
    assert changed.read_text() == "00\n"
    assert {path.name for path in tmp_path.iterdir()} == set(written)
