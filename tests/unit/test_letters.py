"""Letters become one draft: each decided on the state before it, known ones answered as such."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs
from pydantic import BaseModel, ValidationError

from actors.runtime.commands import (
    Answer,
    BadRequestError,
    Outcome,
    Request,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from actors.runtime.entity import RECENT_MAX, Entity
from actors.runtime.letters import Draft, Letter, describe, draft_commit
from actors.service import SERVICE, RequestProbe, Unknown
from events.address import EntityAddress
from events.base import Mark, Origin
from events.entity import CommandDeclined, EntityParked, EntityReleased
from events.service import ServiceSettings, TcpCheck
from tests.deciding import NOW

DB = EntityAddress("service", "db")
SETTINGS = ServiceSettings(checks=(TcpCheck(name="port", port=1),)).model_dump()
CONFIGURE = ("ConfigureService", {"settings": SETTINGS, "configuration_hash": "h"})
PROBE = ("RequestProbe", {"reason": "x"})


def origin(command_id: str, number: int = 0, **changes: Any) -> Origin:
    mark = Mark("policy", number) if number else None
    return structs.replace(Origin(command_id, "p", "/s", NOW, command_id, mark=mark), **changes)


def letter(what: tuple[str, dict[str, Any]], given: Origin) -> Letter:
    return Letter(what[0], what[1], given, lambda _answer: None)


def draft(entity: Entity, *letters: Letter) -> tuple[Draft, list[str]]:
    drafted = draft_commit(entity, letters, NOW)
    return drafted, [str(answer.outcome) for _, answer in drafted.answers]


def test_letters_are_decided_one_after_the_other_in_one_draft() -> None:
    drafted, outcomes = draft(
        Entity.new(DB),
        letter(PROBE, origin("0")),
        letter(CONFIGURE, origin("1")),
        letter(PROBE, origin("2")),
        letter(CONFIGURE, origin("3")),
        letter(PROBE, origin("2")),
    )
    assert outcomes == ["declined", "done", "done", "unchanged", "duplicate"]
    assert [fact.origin for fact in drafted.facts] == [0, 1, 2]
    assert [one.command_id for one in drafted.origins] == ["0", "1", "2"]


def test_what_was_declined_stays_declined() -> None:
    entity = Entity.new(DB)
    first, again = letter(PROBE, origin("0")), letter(PROBE, origin("0"))
    drafted, outcomes = draft(entity, first, letter(CONFIGURE, origin("1")), again)
    assert outcomes == ["declined", "done", "declined"]
    assert isinstance(drafted.events[0], CommandDeclined)
    entity.state = drafted.state
    for given in drafted.origins:
        entity.remember(given, drafted.refusal_of(given))
    (_, answer) = draft_commit(entity, [again], NOW).answers[0]
    assert answer == Answer(Outcome.DECLINED, "the service is unknown, not watched")
    assert draft(entity, letter(PROBE, origin("2")))[1] == ["done"]


def test_what_the_host_asks_itself_in_vain_leaves_nothing() -> None:
    asked = letter(PROBE, origin("0"))
    asked.command = RequestProbe(reason="x")
    drafted, outcomes = draft(Entity.new(DB), asked)
    assert outcomes == ["declined"]
    assert drafted.facts == []


def test_what_a_policy_ordered_in_vain_is_kept_on_record() -> None:
    drafted, outcomes = draft(
        Entity.new(DB),
        letter(PROBE, origin("a", 1)),
        letter(("FlyAway", {}), origin("b", 2)),
        letter(("RequestProbe", {}), origin("c", 3)),
        letter(("FlyAway", {}), origin("d")),
    )
    assert outcomes == ["declined", "invalid", "invalid", "invalid"]
    assert [type(event) for event in drafted.events] == [CommandDeclined] * 3


def test_an_error_parks_and_the_command_may_come_again() -> None:
    entity = Entity.new(DB)

    def broken(*_arguments: object) -> Any:
        raise RuntimeError("a bug")

    entity.decider = replace(SERVICE, decide=broken)
    drafted, outcomes = draft(entity, letter(PROBE, origin("a", 1)), letter(PROBE, origin("b", 2)))
    assert outcomes == ["parked", "parked"]
    (parked,) = drafted.events
    assert isinstance(parked, EntityParked)
    assert drafted.origins[0].mark is None
    entity.decider, entity.parked = SERVICE, parked
    release = letter(("ReleaseEntity", {"reason": "mended"}), origin("r"))
    drafted, outcomes = draft(entity, release, letter(PROBE, origin("a", 1)))
    assert outcomes == ["done", "parked"]
    assert isinstance(drafted.events[0], EntityReleased)
    entity.parked = None
    assert draft(entity, letter(PROBE, origin("a", 1)))[1] == ["declined"]


def test_only_the_host_parks_and_ticks() -> None:
    entity = Entity.new(DB)
    letters = [letter((name, {}), origin(name)) for name in ("ParkEntity", "Tick", "Observe")]
    assert draft(entity, *letters)[1] == ["invalid"] * 3


def test_recent_commands_are_remembered_as_many_as_may_be_on_their_way() -> None:
    entity = Entity.new(DB)
    for number in range(RECENT_MAX + 10):
        entity.remember(origin(str(number)))
    assert len(entity.recent) == RECENT_MAX
    assert not entity.has_handled(origin("9"))
    assert entity.has_handled(origin("10"))


def test_marks_only_rise() -> None:
    entity = Entity.new(DB)
    entity.remember(origin("a", 5))
    entity.remember(origin("b", 3))
    assert entity.marks == {"policy": 5}
    assert entity.has_handled(origin("c", 5))
    assert not entity.has_handled(origin("d", 6))
    assert entity.recent == {}


def test_a_validation_error_is_described_without_what_was_given() -> None:
    class Deep(BaseModel):
        inner: RequestProbe

    try:
        Deep.model_validate({"inner": {"reason": ["hunter2"]}})
    except ValidationError as error:
        text = describe(error)
    assert text == "inner.reason: Input should be a valid string"


def test_requests_and_answers_come_back_as_they_were() -> None:
    for mark in (0, 7):
        given = origin("c", mark, causation_id="x", on_behalf_of="ann", traceparent="t")
        request = Request(DB, "RequestProbe", {"reason": "x"}, given)
        assert decode_request(encode_request(request)) == request
    answer = Answer(Outcome.DECLINED, "why", 7)
    assert decode_answer(encode_answer(answer)) == answer
    assert not answer.accepted
    for payload in (b"", b"\x00", encode_answer(answer)):
        with pytest.raises(BadRequestError, match="request"):
            decode_request(payload)


def test_what_waits_is_sent_back_when_another_host_owns_the_entity() -> None:
    entity, answers = Entity.new(DB), list[Answer]()
    for number in range(3):
        entity.mailbox.append(replace(letter(PROBE, origin(str(number))), answer=answers.append))
    entity.refuse("another host owns it")
    assert [answer.outcome for answer in answers] == [Outcome.BUSY] * 3
    assert (len(entity.mailbox), type(entity.state)) == (0, Unknown)
