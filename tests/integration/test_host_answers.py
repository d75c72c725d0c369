"""Every command is answered once it is decided and committed, and a wrong one is told why."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime

import msgpack
import pytest

from actors.base import Command
from actors.runtime import mailroom
from actors.runtime.commands import Answer, NoAnswerError, Outcome, decode_answer
from actors.runtime.drain import Drainer
from actors.runtime.entity import Entity
from actors.runtime.letters import Letter, ReleaseEntity
from actors.runtime.store import Store
from actors.service import ConfigureService, RequestProbe
from events.address import EntityAddress
from events.base import Origin
from events.ids import new_id
from events.log import Log
from events.service import ServiceProbeRequested
from events.subjects import command_subject
from events.surroundings import now
from tests.hosting import AUTHOR, SERVICES, SETTINGS, Hosting
from tests.waiting import until

S0 = EntityAddress("service", "s0")


async def test_a_command_given_again_answers_duplicate_and_where_its_facts_are(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    first = await hosting.send("service/s0", RequestProbe(reason="x"), command_id="mine")
    again = await hosting.send("service/s0", RequestProbe(reason="x"), command_id="mine")
    assert (first.outcome, again.outcome) == (Outcome.DONE, Outcome.DUPLICATE)
    assert again.sequence >= first.sequence > 0
    await hosting.kill(host)
    await hosting.start()
    after = await hosting.send("service/s0", RequestProbe(reason="x"), command_id="mine")
    assert after.outcome == Outcome.DUPLICATE
    assert len(await hosting.events(ServiceProbeRequested)) == 1


async def send_raw(log: Log, address: str, command: object, arguments: object) -> Answer:
    """Send what no client of ours would send."""
    fields = (1, address, command, arguments, new_id(), "p", "/s", datetime.now(UTC), "c")
    payload = msgpack.packb((*fields, None, None, None, None), datetime=True)
    subject = command_subject(EntityAddress("service", "s0"))
    return decode_answer((await log.client.request(subject, payload, 5)).data)


async def test_invalid_arguments_are_named_by_place_and_never_by_value(
    hosting: Hosting, log: Log
) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    head = await log.head_sequence()
    cases: list[tuple[object, object, str]] = [
        ("RequestProbe", {"reason": {"password": "hunter2"}}, "reason"),
        ("RequestProbe", {"reason": "x", "hunter2x": 1, "more": "hunter2"}, "more"),
        ("RequestProbe", {}, "reason"),
        ("RequestProbe", [], "not a request"),
        ("FlyAway", {}, "RequestProbe"),
        ("Tick", {}, "knows no command"),
        ("ParkEntity", {}, "knows no command"),
        (["RequestProbe"], {}, "not a request"),
        (None, None, "not a request"),
    ]
    for command, arguments, place in cases:
        answer = await send_raw(log, "service/s0", command, arguments)
        assert answer.outcome == Outcome.INVALID
        assert place in answer.message
        assert "hunter2" not in answer.message.replace("hunter2x", "")
    for address in ("flag/x", "service", "service/", 7, "policy/nobody"):
        answer = await send_raw(log, address, "RequestProbe", {"reason": "x"})  # type: ignore[arg-type]
        assert answer.outcome == Outcome.INVALID
    subject = command_subject(EntityAddress("service", "s0"))
    for payload in (b"", b"\xc1", b"\x01", os.urandom(50)):
        reply = await log.client.request(subject, payload, 5)
        assert b"invalid" in reply.data
    assert await log.head_sequence() == head
    assert not hosting.task(host).done()


async def test_an_unknown_kind_is_refused_with_the_kinds_there_are(
    hosting: Hosting, log: Log
) -> None:
    await hosting.place(h1=SERVICES)
    await hosting.start()
    answer = await send_raw(log, "submarine/one", "Dive", {})
    assert answer.outcome == Outcome.INVALID
    assert "kinds are alert, host, incident" in answer.message
    assert await log.head_sequence() == 3


async def test_an_entity_that_nobody_hosts_gets_no_answer(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    await hosting.start()
    with pytest.raises(NoAnswerError, match="alert/x"):
        await hosting.send("alert/x", RequestProbe(reason="x"), patience_seconds=0.3)


async def test_a_full_mailbox_answers_busy_and_the_rest_is_done(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailroom, "MAILBOX_MAX", 3)
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    told: list[str] = []
    submit, submitted = host.mailroom.submit, []

    def note(entity: object, letter: object) -> None:
        answer = letter.answer  # type: ignore[attr-defined]

        def answered(given: Answer) -> None:
            told.append(given.outcome)
            answer(given)

        letter.answer = answered  # type: ignore[attr-defined]
        submitted.append(letter)
        submit(entity, letter)  # type: ignore[arg-type]

    monkeypatch.setattr(type(host.mailroom), "submit", lambda _self, e, letter: note(e, letter))
    answers = await hosting.probe_many(1, 20)
    assert all(answer.accepted for answer in answers.values())
    assert Outcome.BUSY in told
    assert len(await hosting.events(ServiceProbeRequested)) == 20


async def test_what_waits_in_a_mailbox_is_committed_together(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    before = await hosting.log.head_sequence()
    await hosting.probe_many(1, 200)
    commits = await hosting.log.head_sequence() - before
    assert len(await hosting.events(ServiceProbeRequested)) == 200
    assert commits <= 40
    del host


async def test_facts_too_large_for_one_commit_are_split_in_order(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    entity = host.mailroom.entity(EntityAddress("service", "s0"))
    large = "x" * 200_000
    entity.draining = True  # hold the drain back until all commands wait
    sending = [
        asyncio.create_task(hosting.send("service/s0", RequestProbe(reason=f"{number:02} {large}")))
        for number in range(20)
    ]
    await until(lambda: len(entity.mailbox) == 20)
    order = [letter.arguments["reason"][:2] for letter in entity.mailbox]
    await host.mailroom._drain(entity)
    assert {(await one).outcome for one in sending} == {Outcome.DONE}
    stored = await hosting.events(ServiceProbeRequested)
    assert [event.reason[:2] for event in stored] == order
    await hosting.check_chains()


async def test_commands_whose_answers_were_all_lost_are_known_when_they_come_again(
    hosting: Hosting,
) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    await hosting.configure("s0")
    entity = host.mailroom.entity(EntityAddress("service", "s0"))
    entity.draining = True
    ids = [new_id() for _ in range(400)]
    sending = [
        asyncio.create_task(hosting.send("service/s0", RequestProbe(reason=one), command_id=one))
        for one in ids
    ]
    await until(lambda: len(entity.mailbox) == len(ids))
    for letter in entity.mailbox:
        letter.answer = lambda _answer: None
    for task in sending:
        task.cancel()
    await host.mailroom._drain(entity)
    await hosting.kill(host)
    await hosting.start()
    again = [hosting.send("service/s0", RequestProbe(reason=one), command_id=one) for one in ids]
    assert {answer.outcome for answer in await asyncio.gather(*again)} == {Outcome.DUPLICATE}
    assert len(await hosting.events(ServiceProbeRequested)) == len(ids)


async def test_one_fact_too_large_is_refused_and_the_entity_goes_on(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    await hosting.start()
    await hosting.configure("s0")
    huge = RequestProbe(reason="x" * (hosting.log.commit_bytes_max - 100))
    answer = await hosting.send("service/s0", huge)
    assert (answer.outcome, "too large" in answer.message) == (Outcome.INVALID, True)
    assert (await hosting.send("service/s0", RequestProbe(reason="x"))).outcome == Outcome.DONE


async def test_a_question_that_changes_nothing_leaves_nothing(hosting: Hosting) -> None:
    await hosting.place(h1=SERVICES)
    host = await hosting.start()
    head = await hosting.log.head_sequence()
    assert (await hosting.send("service/nobody", ReleaseEntity(reason="x"))).accepted
    assert await hosting.log.head_sequence() == head
    await until(lambda: not host.mailroom.entities)


async def test_what_one_host_declined_no_other_carries_out(log: Log) -> None:
    """Two hosts have a copy of the same command, and one of them has more before it."""
    address = EntityAddress("service", "s0")
    configure = ConfigureService(settings=SETTINGS, configuration_hash="hash")
    probe = RequestProbe(reason="x")
    answers: list[list[Answer]] = [[], [], []]

    def letter(command: Command, command_id: str, given: list[Answer]) -> Letter:
        origin = Origin(command_id, "person:ann", "/test", now(), command_id)
        return Letter(type(command).__name__, command.model_dump(), origin, given.append)

    drainer = Drainer(log, Store(log), AUTHOR, now, lambda _entity: None)
    first, second = Entity.new(address), Entity.new(address)
    first.mailbox.append(letter(probe, "copied", answers[0]))
    second.mailbox.append(letter(configure, "only here", answers[1]))
    second.mailbox.append(letter(probe, "copied", answers[2]))
    await drainer.drain(first)
    await drainer.drain(second)
    outcomes = [one.outcome for (one,) in answers]
    assert outcomes == [Outcome.DECLINED, Outcome.DONE, Outcome.DECLINED]
    kept = await Store(log).load_entity(address)
    assert kept.recent == {"copied": "the service is unknown, not watched", "only here": ""}
