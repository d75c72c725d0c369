"""An entity folds its commits in their order; what does not fit makes it unreadable from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from actors.deciders import UnknownKindError
from actors.runtime.entity import Entity, Wished
from events.address import EntityAddress
from events.alert import AlertFired, Escalation
from events.base import Origin
from events.commit import Author, Commit, Fact, Head, StoredCommit, digest_of, fact_of
from events.effect import EffectIntended, EffectSucceeded, Intent
from events.entity import CommandDeclined, EntityParked, EntityReleased
from events.identity import LogIdentity
from events.service import ServiceProbeRequested
from tests.deciding import NOW

if TYPE_CHECKING:
    from events.base import Event

DB = EntityAddress("service", "db")
ALERT = EntityAddress("alert", "a")
PROBED = ServiceProbeRequested(reason="x")


def stored(
    sequence: int, previous: int, *events: Event, entity: EntityAddress = DB
) -> StoredCommit:
    commit = Commit(
        id=f"c{sequence}",
        entity=entity,
        previous=Head(previous),
        decided=NOW,
        author=Author("p", "c", "b"),
        origins=(Origin(f"command-{sequence}", "p", "/s", NOW, "correlation"),),
        facts=tuple(fact_of(event, 0) for event in events),
    )
    return StoredCommit(commit, sequence, b"payload", LogIdentity("L", 1))


def test_commits_are_folded_and_remembered() -> None:
    entity = Entity.new(DB)
    entity.fold(stored(3, 0, PROBED))
    entity.fold(stored(9, 3, PROBED))
    assert entity.head == Head(9, digest_of(b"payload"))
    assert list(entity.recent) == ["command-3", "command-9"]
    assert entity.quarantine is None


def test_a_gap_in_the_chain_is_named() -> None:
    entity = Entity.new(DB)
    entity.fold(stored(3, 0, PROBED))
    entity.fold(stored(9, 5, PROBED))
    assert entity.unreadable is not None
    assert (entity.unreadable.where, entity.unreadable.sequence) == ("chain", 9)
    assert "its predecessor is 5, but 3 was read" in entity.unreadable.error


def test_after_what_cannot_be_read_only_the_quarantine_is_read() -> None:
    entity = Entity.new(DB)
    strange = stored(3, 0)
    facts = (Fact("standfast.service.flew.v9", 0, {}),)
    entity.fold(replace(strange, commit=replace(strange.commit, facts=facts)))
    parked = EntityParked(error="commit 3", where="decode", sequence=3)
    entity.fold(stored(4, 3, parked))
    assert quarantine_of(entity) == parked
    entity.fold(stored(5, 4, EntityReleased(reason="mended")))
    assert quarantine_of(entity) is None
    assert entity.quarantine is not None
    assert entity.head.sequence == 5


def quarantine_of(entity: Entity) -> EntityParked | None:
    """Give what was committed of a quarantine, and not what was found while reading."""
    return entity.parked


def test_facts_of_any_entity_do_not_touch_its_state() -> None:
    entity = Entity.new(DB)
    entity.fold(stored(1, 0, CommandDeclined(command="c", reason="r")))
    parked = EntityParked(error="e", where="decide", sequence=0)
    entity.fold(stored(2, 1, parked))
    assert entity.quarantine == parked
    assert entity.state == entity.decider.initial


def test_open_intents_are_known_by_the_commit_that_fences_them() -> None:
    entity = Entity.new(ALERT)
    arguments = {"receiver": "ops", "status": "firing", "episode": 1, "level": 0, "key": "k"}
    intent = Intent.model_validate(
        {
            "number": 1,
            "effect": "notify",
            "executor": "e",
            "deadline": NOW,
            "arguments": arguments,
        }
    )
    fired = AlertFired(
        labels={},
        severity="info",
        receivers=("ops",),
        escalation=Escalation(),
        tell_again_at=None,
    )
    entity.fold(stored(7, 0, fired, EffectIntended(intent=intent), entity=ALERT))
    assert entity.intents == {1: Wished(7, "c7.1", "correlation")}
    entity.fold(stored(8, 7, EffectSucceeded(number=1), entity=ALERT))
    assert entity.intents == {}


def test_an_unknown_kind_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownKindError, match="submarine/x; kinds are alert, host"):
        Entity.new(EntityAddress("submarine", "x"))
    with pytest.raises(UnknownKindError):
        Entity.new(EntityAddress("policy", "nobody"))
