"""A drain answers when all is stored, and each answer says a place at which its command is done."""

from __future__ import annotations

from typing import Any, cast

from actors.runtime.commands import Answer, Outcome
from actors.runtime.drain import Drainer
from actors.runtime.entity import Entity
from actors.runtime.letters import Letter
from events.address import EntityAddress
from events.base import Origin
from events.service import ServiceSettings, TcpCheck
from tests.deciding import NOW
from tests.history import AUTHOR
from tests.memory_log import MemoryLog

SETTINGS = ServiceSettings(checks=(TcpCheck(name="port", port=1),)).model_dump()
CONFIGURE = ("ConfigureService", {"settings": SETTINGS, "configuration_hash": "h"})
PROBE = ("RequestProbe", {"reason": "x"})


async def drained(
    drainer: Drainer, entity: Entity, *commands: tuple[tuple[str, dict[str, Any]], str]
) -> list[tuple[Outcome, int]]:
    """Give the outcomes and sequences that commands with these ids are answered in one drain."""
    answers: list[Answer] = []
    for (name, arguments), command_id in commands:
        origin = Origin(command_id, "p", "/s", NOW, command_id)
        entity.mailbox.append(Letter(name, arguments, origin, answers.append))
    await drainer.drain(entity)
    return [(answer.outcome, answer.sequence) for answer in answers]


async def test_a_command_that_comes_twice_in_one_drain_is_answered_where_its_facts_are() -> None:
    log = MemoryLog()
    drainer = Drainer(cast("Any", log), cast("Any", None), AUTHOR, lambda: NOW, lambda _: None)
    entity = Entity.new(EntityAddress("service", "db"))
    assert await drained(drainer, entity, (CONFIGURE, "1")) == [(Outcome.DONE, 1)]
    answers = await drained(drainer, entity, (PROBE, "2"), (PROBE, "3"), (PROBE, "2"), (PROBE, "1"))
    assert answers == [
        (Outcome.DONE, 2),
        (Outcome.DONE, 2),
        (Outcome.DUPLICATE, 2),
        (Outcome.DUPLICATE, 2),
    ]
    assert await drained(drainer, entity, (PROBE, "3")) == [(Outcome.DUPLICATE, 2)]
