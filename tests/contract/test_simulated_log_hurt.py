"""The simulated log fails as the real one does, and begins where it does: one suite, both."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from events.commit import DIGEST_HEADER, Head
from events.log import Log, LogFullError
from events.reader import OrderedReader, Pace, Start
from events.streams import CHECKPOINTS_KEPT
from events.subjects import CHECKPOINT_STREAM, STATE_STREAM, checkpoint_subject, state_subject
from standfast.bench.samples import commit_of, service, verdict

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from events.reader import Message
    from tests.fixtures.two_logs import Hurt, Run, RunHurt

FENCE, STREAM = "Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Stream"
WAIT_SECONDS = 10.0
PACE = Pace(heartbeat_seconds=0.3, looks=3)


async def _write(log: Log, number: int, count: int, head: Head | None = None) -> Head:
    head = head or Head()
    for place in range(count):
        head = await log.append(commit_of(service(number), head, verdict(place), place))
    return head


async def _read(reader: OrderedReader, count: int) -> list[Message]:
    """Read so many messages, and end."""
    found: list[Message] = []
    async with asyncio.timeout(WAIT_SECONDS):
        async for batch in reader.batches():
            found += batch
            if len(found) >= count:
                break
    await reader.close()
    return found


def test_reading_begins_at_a_moment(run: Run) -> None:
    async def scenario(client: Client) -> None:
        log = await Log.open(client)
        await _write(log, 0, 5)
        written = [m async for batch in log.read(["sf.>"]) for m in batch]
        third = written[2].stored
        reader = OrderedReader(client, STATE_STREAM, ["sf.>"], Start(time=third))
        assert await reader.open() >= 3
        assert [message.sequence for message in await _read(reader, 3)] == [3, 4, 5]

    run(scenario)


def test_the_newest_of_each_subject_comes_first_and_then_all_that_is_new(run: Run) -> None:
    async def scenario(client: Client) -> None:
        log = await Log.open(client)
        for number in (0, 1, 2):
            head = await _write(log, number, 3)
        await _write(log, 0, 1, await _head(log, 0))
        reader = OrderedReader(client, STATE_STREAM, ["sf.service.>"], Start(newest_only=True))
        assert await reader.open() >= 3  # what has come meanwhile may be counted twice
        await _write(log, 2, 2, head)
        found = await _read(reader, 5)
        assert [message.sequence for message in found] == [6, 9, 10, 11, 12]
        assert found[2].pending == 0

    run(scenario)


async def _head(log: Log, number: int) -> Head:
    last = await log.last_commit(service(number))
    assert last is not None
    return last.head


def test_payloads_are_left_out_where_only_headers_are_wanted(run: Run) -> None:
    async def scenario(client: Client) -> None:
        log = await Log.open(client)
        await _write(log, 0, 2)
        stream = log.follow(["sf.>"], Start(), headers_only=True)
        found: list[Message] = []
        async with asyncio.timeout(WAIT_SECONDS), aclosing(stream):
            async for batch in stream:
                found += batch
                if len(found) == 2:
                    break
        assert [(m.sequence, m.payload) for m in found] == [(1, b""), (2, b"")]
        assert all(len(m.headers[DIGEST_HEADER]) == 64 for m in found)

    run(scenario)


def test_who_is_idle_hears_how_much_was_sent(run: Run) -> None:
    """A consumer's heartbeat tells its last number: who has fewer has missed something."""

    async def scenario(client: Client) -> None:
        log = await Log.open(client)
        await _write(log, 0, 3)
        beats: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        delivered: list[str] = []

        async def take(message: Msg) -> None:
            if message.headers and "Status" in message.headers:
                beats.put_nowait(message.headers)
            else:
                delivered.append(message.reply)

        inbox = client.new_inbox()
        await client.subscribe(inbox, cb=take)
        config = ConsumerConfig(
            name="listening",
            deliver_subject=inbox,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=2,
            filter_subjects=["sf.>"],
            idle_heartbeat=0.3,
        )
        await client.jsm().add_consumer(STATE_STREAM, config)
        beat = await asyncio.wait_for(beats.get(), WAIT_SECONDS)
        assert (beat["Status"], beat["Nats-Last-Consumer"]) == ("100", "2")
        assert [reply.split(".")[-4:-2] for reply in delivered] == [["2", "1"], ["3", "2"]]

    run(scenario)


def test_who_follows_misses_nothing_over_a_cut(run_hurt: RunHurt) -> None:
    async def scenario(client: Client, hurt: Hurt) -> None:
        log = await Log.open(client, PACE)
        head = await _write(log, 0, 3)
        seen: list[int] = []
        stream = log.follow(["sf.service.>"], Start())

        async def follow() -> None:
            async with aclosing(stream):
                async for batch in stream:
                    seen.extend(message.sequence for message in batch)
                    if len(seen) >= 6:
                        return

        following = asyncio.create_task(follow())
        while len(seen) < 3:  # noqa: ASYNC110  (the generator tells nobody)
            await asyncio.sleep(0.01)
        hurt.cut()
        await _write(log, 0, 3, head)
        await asyncio.wait_for(following, WAIT_SECONDS)
        assert seen == [1, 2, 3, 4, 5, 6]
        assert client.stats["reconnects"] == 1

    run_hurt(scenario)


def test_what_was_not_acknowledged_has_landed_and_lands_once(run_hurt: RunHurt) -> None:
    async def scenario(client: Client, hurt: Hurt) -> None:
        log, stream = await Log.open(client), client.jetstream()
        subject = state_subject(service(1))
        hurt.lose_acknowledgements()
        with pytest.raises(NatsTimeoutError):
            await stream.publish(subject, b"a", timeout=0.3, headers={FENCE: "0"})
        head = await _write(log, 0, 1)
        hurt.hear()
        assert head.sequence == 2
        with pytest.raises(APIError) as refused:
            await stream.publish(subject, b"a", headers={FENCE: "0"})
        assert (refused.value.code, refused.value.err_code) == (400, 10071)
        assert await log.head_sequence() == 2

    run_hurt(scenario)


def test_a_publish_for_another_stream_is_refused(run: Run) -> None:
    async def scenario(client: Client) -> None:
        stream, subject = client.jetstream(), state_subject(service(0))
        with pytest.raises(APIError) as refused:
            await stream.publish(subject, b"a", headers={STREAM: "ANOTHER"})
        assert (refused.value.code, refused.value.err_code) == (400, 10060)
        assert (await stream.publish(subject, b"a", headers={STREAM: STATE_STREAM})).seq == 1

    run(scenario)


def test_a_full_log_says_so_and_keeps_what_it_has(run_hurt: RunHurt) -> None:
    async def scenario(client: Client, hurt: Hurt) -> None:
        log = await Log.open(client)
        head = await _write(log, 0, 1)
        await hurt.fill()
        with pytest.raises(APIError) as refused:
            await client.jetstream().publish(state_subject(service(1)), b"a" * 64)
        assert (refused.value.code, refused.value.err_code) == (503, 10023)
        with pytest.raises(LogFullError):
            await _write(log, 0, 1, head)
        with pytest.raises(APIError) as fenced:  # the fence is looked at first
            await client.jetstream().publish(
                state_subject(service(0)), b"a" * 64, headers={FENCE: "7"}
            )
        assert fenced.value.err_code == 10071
        assert await _head(log, 0) == head

    run_hurt(scenario)


def test_of_a_checkpoint_so_many_are_kept(run: Run) -> None:
    async def scenario(client: Client) -> None:
        stream, subject = client.jetstream(), checkpoint_subject("alert", 7, 0)
        for number in range(CHECKPOINTS_KEPT + 2):
            await stream.publish(subject, b"%d" % number)
        other = await stream.publish(checkpoint_subject("alert", 8, 0), b"x")
        reader = OrderedReader(client, CHECKPOINT_STREAM, ["sfk.alert.>"], Start())
        await reader.open()
        found = await _read(reader, CHECKPOINTS_KEPT + 1)
        assert [m.sequence for m in found] == [*range(3, CHECKPOINTS_KEPT + 3), other.seq]
        with pytest.raises(NotFoundError):
            await client.jsm().get_msg(CHECKPOINT_STREAM, seq=2)

    run(scenario)
