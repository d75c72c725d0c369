"""The log on a real server: fenced, whole, chained, and sure of what landed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgpack
import pytest
from msgspec.structs import replace

from events.address import EntityAddress
from events.base import Origin
from events.codec import UPCASTERS, UnknownEventError, upcaster
from events.commit import (
    DIGEST_HEADER,
    Commit,
    Fact,
    Head,
    UnreadableCommitError,
    decode_commit,
    digest_of,
    encode_commit,
    fact_of,
)
from events.log import (
    CommitTooLargeError,
    ConflictError,
    Log,
    LogFullError,
    LogUnavailableError,
)
from events.server import ServerAddress, connect
from events.service import ServiceProbeRequested
from events.streams import StreamLimits, ensure_streams
from events.subjects import state_subject
from scenarios.faults.proxy import Loss, NatsProxy
from tests.history import AUTHOR
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from events.commit import StoredCommit
    from tests.fixtures.nats import NatsServer

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DB = EntityAddress("service", "db")
APP = EntityAddress("service", "app.with *odd* name/ü")


def origin(number: int = 1) -> Origin:
    return Origin(f"command-{number}", "person:test", "/test", NOW, f"command-{number}")


def commit(commit_id: str, previous: Head, *reasons: str, entity: EntityAddress = DB) -> Commit:
    facts = tuple(fact_of(ServiceProbeRequested(reason=reason), 0) for reason in reasons)
    return Commit(commit_id, entity, previous, NOW, AUTHOR, (origin(),), facts)


async def commits_of(log: Log, entity: EntityAddress = DB) -> list[StoredCommit]:
    return [stored async for stored in log.read_entity(entity)]


async def test_a_commit_is_read_back_as_it_was_written(log: Log) -> None:
    written = commit("c1", Head(), "one", "two", entity=APP)
    head = await log.append(written)
    (stored,) = await commits_of(log, APP)
    assert stored.commit == written
    assert stored.head == head
    assert [one.event for one in stored.envelopes()] == [
        ServiceProbeRequested(reason="one"),
        ServiceProbeRequested(reason="two"),
    ]
    assert [one.id for one in stored.envelopes()] == ["c1.0", "c1.1"]
    assert stored.position == log.position(1)


async def test_commits_of_an_entity_form_a_chain(log: Log) -> None:
    head = Head()
    for number in range(5):
        await log.append(
            commit(f"other-{number}", Head(), "x", entity=EntityAddress("alert", f"{number}"))
        )
        head = await log.append(commit(f"c{number}", head, "x"))
    before = Head()
    for stored in await commits_of(log):
        assert stored.commit.previous == before
        before = stored.head
        raw = await log.message(stored.position.sequence)
        assert raw is not None
        assert raw.headers is not None
        assert raw.headers[DIGEST_HEADER] == digest_of(raw.data or b"").hex() == stored.digest.hex()
    assert before == head


async def test_a_second_writer_gets_a_conflict_and_nothing_is_stored(log: Log) -> None:
    first = await log.append(commit("c1", Head(), "first"))
    with pytest.raises(ConflictError) as caught:
        await log.append(commit("c2", Head(), "second"))
    assert (caught.value.expected, caught.value.actual) == (0, first.sequence)
    assert [stored.commit.id for stored in await commits_of(log)] == ["c1"]


async def test_of_many_writers_at_once_exactly_one_wins(log: Log) -> None:
    tries = [log.append(commit(f"c{number}", Head(), "x")) for number in range(20)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, Head) for result in results) == 1
    assert sum(isinstance(result, ConflictError) for result in results) == 19
    assert len(await commits_of(log)) == 1


async def test_appending_the_same_commit_again_gives_the_same_head(log: Log) -> None:
    written = commit("c1", Head(), "x")
    assert await log.append(written) == await log.append(written)
    assert len(await commits_of(log)) == 1


async def test_a_commit_over_the_limit_is_refused_before_it_is_sent(log: Log) -> None:
    before = log.client.stats["out_bytes"]
    with pytest.raises(CommitTooLargeError):
        await log.append(commit("c1", Head(), "x" * log.commit_bytes_max))
    assert log.client.stats["out_bytes"] == before
    assert await log.head_sequence() == 0


async def test_a_commit_just_below_the_limit_is_stored(log: Log) -> None:
    room = log.commit_bytes_max - len(encode_commit(commit("c1", Head(), "x"))) - 4
    await log.append(commit("c1", Head(), "x" * room))
    assert len(await commits_of(log)) == 1


@pytest.fixture
async def proxy(nats_server: NatsServer, log: Log) -> AsyncIterator[tuple[NatsProxy, Log]]:
    """Give a log that is reached through a proxy, on the module's server."""
    assert log.client.is_connected, "the streams are there"
    proxy = NatsProxy(nats_server.port)
    port = await proxy.start()
    address = ServerAddress(f"nats://127.0.0.1:{port}", nats_server.address.token)
    client = await connect(address, "through-the-proxy")
    yield proxy, await Log.open(client)
    await client.close()
    await proxy.stop()


async def test_a_lost_acknowledgement_is_resolved(proxy: tuple[NatsProxy, Log], log: Log) -> None:
    lossy, through = proxy
    loss = Loss("through-the-proxy")
    lossy.add(loss)
    head = await through.append(commit("c1", Head(), "x"))
    assert loss.lost == 1, "the acknowledgement was not lost: the test proves nothing"
    (stored,) = await commits_of(log)
    assert stored.head == head
    assert await log.head_sequence() == 1


async def test_a_lost_acknowledgement_of_a_later_commit_is_resolved(
    proxy: tuple[NatsProxy, Log], log: Log
) -> None:
    lossy, through = proxy
    first = await through.append(commit("c1", Head(), "x"))
    loss = Loss("through-the-proxy")
    lossy.add(loss)
    second = await through.append(commit("c2", first, "y"))
    assert loss.lost == 1
    third = await through.append(commit("c3", second, "z"))
    assert [stored.head for stored in await commits_of(log)] == [first, second, third]


@pytest.fixture
async def own_log(own_server: NatsServer) -> AsyncIterator[Log]:
    """Give an empty log on a server of its own."""
    client = await connect(own_server.address, "test")
    await ensure_streams(client, StreamLimits())
    yield await Log.open(client)
    await client.close()


async def test_a_server_that_was_frozen_stores_a_commit_once(
    own_server: NatsServer, own_log: Log
) -> None:
    first = await own_log.append(commit("c1", Head(), "x"))
    own_server.pause()
    appending = asyncio.create_task(own_log.append(commit("c2", first, "y")))
    await until(lambda: own_log.client.stats["out_msgs"] > 0)
    done, _ = await asyncio.wait([appending], timeout=3.0)
    assert not done, "the time-out of an acknowledgement is over, and nothing is known"
    own_server.resume()
    second = await appending
    assert [stored.head for stored in await commits_of(own_log)] == [first, second]


async def test_a_server_that_stays_frozen_makes_the_log_unavailable_and_the_truth_is_read_later(
    own_server: NatsServer, own_log: Log
) -> None:
    first = await own_log.append(commit("c1", Head(), "x"))
    own_server.pause()
    with pytest.raises(LogUnavailableError):
        await own_log.append(commit("c2", first, "y"))
    own_server.resume()
    await asyncio.wait_for(own_log.client.flush(), 10)
    assert [stored.commit.id for stored in await commits_of(own_log)] == ["c1", "c2"]


async def test_no_acknowledged_commit_is_lost_when_the_server_is_killed(
    own_server: NatsServer, own_log: Log
) -> None:
    heads: dict[EntityAddress, Head] = {}

    async def write(number: int) -> None:
        entity = EntityAddress("service", f"s{number}")
        for count in range(40):
            previous = heads.get(entity, Head())
            heads[entity] = await own_log.append(
                commit(f"{number}-{count}", previous, "x", entity=entity)
            )

    writing = asyncio.gather(*[write(number) for number in range(10)])
    await until(lambda: len(heads) == 10)
    own_server.kill()
    own_server.start()
    await writing
    for number in range(10):
        stored = await commits_of(own_log, EntityAddress("service", f"s{number}"))
        assert [one.commit.id for one in stored] == [f"{number}-{count}" for count in range(40)]
        assert stored[-1].head == heads[EntityAddress("service", f"s{number}")]


async def test_a_full_log_says_so(own_server: NatsServer) -> None:
    client = await connect(own_server.address, "test")
    await ensure_streams(client, StreamLimits(state_bytes_max=200_000))
    log, head = await Log.open(client), Head()
    for number in range(3):
        head = await log.append(commit(f"c{number}", head, "x" * 50_000))
    with pytest.raises(LogFullError):
        await log.append(commit("c3", head, "x" * 50_000))
    await client.close()


async def publish_raw(log: Log, entity: EntityAddress, payload: bytes) -> None:
    await log.client.jetstream().publish(state_subject(entity), payload)


async def test_a_commit_of_another_entity_under_a_subject_is_refused(log: Log) -> None:
    await publish_raw(log, DB, encode_commit(commit("c1", Head(), "x", entity=APP)))
    with pytest.raises(UnreadableCommitError, match="under the subject of service/db"):
        await commits_of(log)


async def test_bytes_that_are_no_commit_are_refused(log: Log) -> None:
    await publish_raw(log, DB, b"\xc1garbage")
    with pytest.raises(UnreadableCommitError):
        await commits_of(log)


async def test_a_writer_that_finds_garbage_before_it_gets_a_conflict(log: Log) -> None:
    first = await log.append(commit("c1", Head(), "x"))
    await publish_raw(log, DB, b"garbage")
    with pytest.raises(ConflictError):
        await log.append(commit("c2", first, "y"))


async def test_a_commit_of_a_newer_format_is_refused() -> None:
    fields = msgpack.unpackb(encode_commit(commit("c1", Head(), "x")), timestamp=3)
    payload = msgpack.packb([2, *fields[1:]], datetime=True)
    with pytest.raises(UnreadableCommitError, match="format 2"):
        decode_commit(payload, DB)


async def test_an_unknown_event_type_raises(log: Log) -> None:
    strange = replace(
        commit("c1", Head()), facts=(Fact("standfast.service.flew.v1", 0, {"height": 3}),)
    )
    await log.append(strange)
    (stored,) = await commits_of(log)
    with pytest.raises(UnknownEventError, match="flew"):
        list(stored.envelopes())


@pytest.fixture
def lifted() -> Iterator[None]:
    """Pretend that a probe was once asked for in other words, twice."""
    old = "standfast.service.probe_wanted.v1"

    @upcaster(old, "standfast.service.probe_wanted.v2")
    def _first(data: dict[str, object]) -> dict[str, object]:
        return {"why": data["because"]}

    @upcaster("standfast.service.probe_wanted.v2", ServiceProbeRequested.type)
    def _second(data: dict[str, object]) -> dict[str, object]:
        return {"reason": data["why"]}

    yield
    del UPCASTERS[old], UPCASTERS["standfast.service.probe_wanted.v2"]


@pytest.mark.usefixtures("lifted")
async def test_old_versions_are_lifted_step_by_step_when_they_are_read(log: Log) -> None:
    facts = (
        Fact("standfast.service.probe_wanted.v1", 0, {"because": "first"}),
        Fact("standfast.service.probe_wanted.v2", 0, {"why": "second"}),
        fact_of(ServiceProbeRequested(reason="third"), 0),
    )
    await log.append(replace(commit("c1", Head()), facts=facts))
    (stored,) = await commits_of(log)
    assert [one.event for one in stored.envelopes()] == [
        ServiceProbeRequested(reason=reason) for reason in ("first", "second", "third")
    ]


async def test_the_log_keeps_its_identity(log: Log) -> None:
    assert (await Log.open(log.client)).identity == log.identity
    assert (await ensure_streams(log.client, StreamLimits())) == log.identity
    assert log.identity.generation == 1
