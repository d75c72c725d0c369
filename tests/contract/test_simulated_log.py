"""The simulated log does what the real one does: one suite, both."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import pytest
from nats.errors import MaxPayloadError, NoRespondersError
from nats.js.errors import APIError, NotFoundError

from events.commit import Head
from events.log import ConflictError, Log
from events.reader import OrderedReader, Start
from events.subjects import STATE_STREAM, state_subject
from standfast.bench.samples import commit_of, service, verdict

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from tests.fixtures.two_logs import Run

FENCE = "Nats-Expected-Last-Subject-Sequence"
WAIT_SECONDS = 10.0


async def _write(log: Log, number: int, count: int, head: Head | None = None) -> Head:
    head = head or Head()
    for place in range(count):
        head = await log.append(commit_of(service(number), head, verdict(place), place))
    return head


def test_a_commit_lands_where_its_entity_is_and_nowhere_else(run: Run) -> None:
    async def scenario(client: Client) -> None:
        log = await Log.open(client)
        first = await _write(log, 0, 1)
        second = await _write(log, 1, 1)
        third = await _write(log, 0, 1, first)
        assert [first.sequence, second.sequence, third.sequence] == [1, 2, 3]
        with pytest.raises(ConflictError):
            await _write(log, 0, 1, first)
        last = await log.last_commit(service(0))
        assert last is not None
        assert (last.head, last.commit.previous) == (third, first)
        assert await log.last_commit(service(9)) is None
        assert await log.head_sequence() == 3

    run(scenario)


def test_a_fence_that_does_not_fit_is_refused_by_number(run: Run) -> None:
    async def scenario(client: Client) -> None:
        subject, stream = state_subject(service(0)), client.jetstream()
        assert (await stream.publish(subject, b"a", headers={FENCE: "0"})).seq == 1
        with pytest.raises(APIError) as refused:
            await stream.publish(subject, b"b", headers={FENCE: "0"})
        assert (refused.value.code, refused.value.err_code) == (400, 10071)
        with pytest.raises(MaxPayloadError):
            await stream.publish(subject, b"x" * (client.max_payload + 1))

    run(scenario)


def test_what_was_written_is_read_by_subject_and_place(run: Run) -> None:
    async def scenario(client: Client) -> None:
        log = await Log.open(client)
        for number in range(3):
            await _write(log, number, 4)
        one = [m async for batch in log.read([state_subject(service(1))]) for m in batch]
        assert [message.sequence for message in one] == [5, 6, 7, 8]
        some = [m async for batch in log.read(["sf.>"], Start(4), until=9) for m in batch]
        assert [message.sequence for message in some] == [4, 5, 6, 7, 8, 9]
        assert [log.stored(m).commit.entity for m in some[:2]] == [service(0), service(1)]
        assert [m async for batch in log.read(["sf.alert.>"]) for m in batch] == []

    run(scenario)


def test_single_messages_are_asked_of_the_leader(run: Run) -> None:
    async def scenario(client: Client) -> None:
        log, manager = await Log.open(client), client.jsm()
        await _write(log, 0, 2)
        await _write(log, 1, 1)
        subject = state_subject(service(0))
        assert (await manager.get_msg(STATE_STREAM, subject=subject)).seq == 2
        assert (await manager.get_msg(STATE_STREAM, seq=3)).subject == state_subject(service(1))
        following = await manager.get_msg(STATE_STREAM, seq=2, subject="sf.service.>", next=True)
        assert following.seq == 2
        for missing in ({"seq": 9}, {"subject": "sf.alert.00.x"}):
            with pytest.raises(NotFoundError):
                await manager.get_msg(STATE_STREAM, **cast("Any", missing))
        with pytest.raises(NotFoundError):
            await manager.stream_info("NOBODY")

    run(scenario)


def test_who_follows_sees_what_is_written_later_in_order(run: Run) -> None:
    async def scenario(client: Client) -> None:
        log = await Log.open(client)
        head = await _write(log, 0, 2)
        seen: list[int] = []
        stream = log.follow(["sf.service.>"], Start(2))

        async def follow() -> None:
            async with aclosing(stream):
                async for batch in stream:
                    seen.extend(message.sequence for message in batch)
                    if len(seen) >= 4:
                        return

        following = asyncio.create_task(follow())
        await _write(log, 0, 3, head)
        await asyncio.wait_for(following, WAIT_SECONDS)
        assert seen == [2, 3, 4, 5]

    run(scenario)


def test_a_consumer_says_what_waits_and_is_deleted_once(run: Run) -> None:
    async def scenario(client: Client) -> None:
        log = await Log.open(client)
        await _write(log, 0, 3)
        reader = OrderedReader(client, STATE_STREAM, ["sf.>"], Start(2))
        assert await reader.open() >= 2  # what has come meanwhile may be counted twice
        async for batch in reader.batches():
            assert [(m.sequence, m.pending) for m in batch][-1] == (3, 0)
            break
        await reader.close()
        with pytest.raises(NotFoundError):
            await client.jsm().delete_consumer(STATE_STREAM, "nobody")

    run(scenario)


def test_a_question_is_answered_or_said_to_have_nobody(run: Run) -> None:
    async def scenario(client: Client) -> None:
        async def answer(message: Msg) -> None:
            await message.respond(b"re: " + message.data)

        with pytest.raises(NoRespondersError):
            await client.request("sfx.nobody", b"?", 2.0)
        subscription = await client.subscribe("sfc.service.>", cb=answer)
        await client.flush()
        assert (await client.request("sfc.service.00.a", b"you?", 2.0)).data == b"re: you?"
        await subscription.unsubscribe()
        await client.flush()
        with pytest.raises(NoRespondersError):
            await client.request("sfc.service.00.a", b"you?", 2.0)

    run(scenario)
