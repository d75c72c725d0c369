"""Checkpoints save time and change nothing else: with them, without them, and with wrong ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import msgpack
import pytest

from actors.alert import FireAlert
from actors.runtime import checkpoints
from actors.runtime.checkpoints import Checkpoints
from actors.runtime.host import Host
from actors.runtime.store import Store
from actors.service import SERVICE, RequestProbe
from events.address import EntityAddress
from events.base import Event
from events.effect import EffectIntended
from events.placement import BucketRange
from events.subjects import CHECKPOINT_STREAM, checkpoint_subject
from tests.fixtures.checked import ACKNOWLEDGED, HELD
from tests.hosting import PLACED, Hosting, states_of

if TYPE_CHECKING:
    from actors.runtime.ownership import Ownership
    from actors.runtime.store import Entities
    from events.log import Log
    from events.reader import Message
    from tests.fixtures.checked import CheckedRun

ALL = tuple(BucketRange(kind=kind) for kind in PLACED)


class NewerEvent(Event, type="standfast.test.newer.v1"):
    """An event that only a newer build knows."""


Event.registry.pop(NewerEvent.type)


async def lived(hosting: Hosting, name: str = "h1") -> Host:
    """Give a host over a small platform in which something failed and is told."""
    await hosting.place(**{name: PLACED})
    await hosting.executor(outcome="")
    host = await hosting.start(name)
    await hosting.platform({"db": (), "app": ("db",)}, recovery_mode="automatic")
    for service in ("db", "app"):
        await hosting.report(service, "healthy")
        await hosting.report(service, "down")
    await hosting.until_event(EffectIntended)
    await hosting.quiet(0.3)
    return host


async def load(
    log: Log, until: int | None = None, *, cached: bool = True
) -> dict[EntityAddress, object]:
    entities = await Store(log).load(ALL, until, cached=cached)
    return {
        address: (one.state, one.head, one.marks, list(one.recent), one.intents, one.parked)
        for address, one in entities.items()
    }


async def test_recovery_with_checkpoints_equals_recovery_without(
    hosting: Hosting, checked_run: CheckedRun
) -> None:
    host = await lived(hosting)
    live = states_of(host)
    assert await load(hosting.log) == live
    await host.write_checkpoints()
    found = await Checkpoints(hosting.log).read(PLACED)
    assert len(found) == 256 * len(PLACED)
    assert await load(hosting.log) == live
    assert await load(hosting.log, cached=False) == live
    await hosting.report("db", "healthy")
    await hosting.quiet(0.3)
    live = states_of(host)
    await hosting.kill(host)
    assert await load(hosting.log) == live
    assert await load(hosting.log, cached=False) == live
    assert states_of(await hosting.start()) == live
    await checked_run.clean(hosting.log, *HELD, hosts=("h1",))


async def test_deleting_the_checkpoints_changes_nothing(hosting: Hosting) -> None:
    host = await lived(hosting)
    await host.write_checkpoints()
    live = states_of(host)
    await hosting.kill(host)
    manager = hosting.log.client.jsm()
    await manager.purge_stream(CHECKPOINT_STREAM)
    assert states_of(await hosting.start()) == live


async def test_a_checkpoint_that_may_hold_events_of_a_newer_build_is_left_aside(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await lived(hosting)
    with monkeypatch.context() as patch:
        newer = replace(SERVICE, events=(*SERVICE.events, NewerEvent))
        for entity in host.mailroom.entities.values():
            if entity.address.kind == "service":
                patch.setattr(entity, "decider", newer)
        await host.write_checkpoints()
    found = await Checkpoints(hosting.log).read(PLACED)
    known = {entity.address.kind for one in found.values() for entity in one.entities}
    assert "incident" in known
    assert "service" not in known
    assert await load(hosting.log) == states_of(host)


async def test_parts_of_two_writings_as_of_one_sequence_are_never_taken_together(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await lived(hosting)
    monkeypatch.setattr(checkpoints, "PART_BYTES_MAX", 1)
    entities = [one for one in host.mailroom.entities.values() if one.head.sequence]
    assert len(entities) > 2
    sequence, written = await hosting.log.head_sequence(), Checkpoints(hosting.log)
    stream = hosting.log.client.jetstream()
    await written.write("service", 7, sequence, entities)
    count = 0

    class HalfError(Exception):
        """The writer ends between two parts."""

    class Ending:
        async def publish(self, subject: str, payload: bytes) -> None:
            nonlocal count
            count += 1
            if count == 2:
                raise HalfError
            await stream.publish(subject, payload)

    monkeypatch.setattr(type(hosting.log.client), "jetstream", lambda _client: Ending())
    with pytest.raises(HalfError):
        await written.write("service", 7, sequence, entities[::-1])
    monkeypatch.undo()
    found = (await written.read(["service"]))["service", 7].entities
    assert sorted(one.address for one in found) == sorted(one.address for one in entities)


async def test_a_recovery_from_checkpoints_reads_only_what_came_after(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await lived(hosting)
    await host.write_checkpoints()
    await hosting.kill(host)
    read: list[int] = []
    fold = Store.fold

    def counted(store: Store, entities: Entities, message: Message) -> object:
        read.append(message.sequence)
        return fold(store, entities, message)

    monkeypatch.setattr(Store, "fold", counted)
    await load(hosting.log)
    assert read == []
    await load(hosting.log, cached=False)
    assert len(read) > 20


@pytest.mark.parametrize("damage", ["garbage", "version", "shape", "other log", "half"])
async def test_a_checkpoint_that_cannot_be_used_is_not_there(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    host = await lived(hosting)
    monkeypatch.setattr(checkpoints, "PART_BYTES_MAX", 1 if damage == "half" else 512 * 1024)
    await host.write_checkpoints()
    live = states_of(host)
    await hosting.kill(host)
    address = EntityAddress("service", "db")
    subject = checkpoint_subject(address.kind, address.bucket, 0)
    raw = await hosting.log.client.jsm().get_msg(CHECKPOINT_STREAM, subject=subject)
    fields = msgpack.unpackb(raw.data or b"", strict_map_key=False)
    fields[5] += 1000  # newer than all others: it would win
    match damage:
        case "garbage":
            payload = b"garbage"
        case "version":
            fields[8][0][1] += 1
            payload = msgpack.packb(fields)
        case "shape":
            fields[8][0][2] = b'{"no":"state"}'
            payload = msgpack.packb(fields)
        case "other log":
            fields[2] += 1
            payload = msgpack.packb(fields)
        case _:
            fields[7] = 2
            payload = msgpack.packb(fields)
    await hosting.log.client.jetstream().publish(subject, payload)
    assert await load(hosting.log) == live
    assert states_of(await hosting.start()) == live


async def test_checkpoints_written_while_commands_flow_lose_nothing(
    hosting: Hosting, checked_run: CheckedRun
) -> None:
    await hosting.place(h1=PLACED)
    host = await hosting.start()
    for number in range(8):
        await hosting.configure(f"s{number}")
    sender = checked_run.commands(hosting.log.client)
    flowing = asyncio.gather(
        *[
            sender.send(
                EntityAddress("service", f"s{number % 8}"), RequestProbe(reason=f"{number}")
            )
            for number in range(600)
        ]
    )
    while not flowing.done():
        await host.write_checkpoints()
        head = await hosting.log.head_sequence()
        assert await load(hosting.log, head) == await load(hosting.log, head, cached=False)
    await flowing
    assert await load(hosting.log) == await load(hosting.log, cached=False)
    await hosting.kill(host)
    await hosting.start()
    await checked_run.clean(hosting.log, ACKNOWLEDGED, *HELD, hosts=("h1",))


async def test_checkpoints_are_written_by_themselves(hosting: Hosting) -> None:
    await hosting.place(h1=PLACED)
    host = await hosting.start("h1", checkpoint_commits=20)
    await hosting.configure("s0")
    for number in range(25):
        await hosting.send("service/s0", RequestProbe(reason=f"{number}"))
    manager = hosting.log.client.jsm()

    wanted, written = 256 * len(PLACED), 0
    async with asyncio.timeout(10):
        while written < wanted:
            written = (await manager.stream_info(CHECKPOINT_STREAM)).state.messages
    assert host.is_ready


async def test_a_commit_on_its_way_is_not_skipped_by_a_checkpoint(hosting: Hosting) -> None:
    host = await lived(hosting)
    entity = host.mailroom.entities[EntityAddress("service", "db")]
    append = host.log.append
    landed, go_on = asyncio.Event(), asyncio.Event()

    async def slow(commit: object) -> object:
        head = await append(commit)  # type: ignore[arg-type]
        if getattr(commit, "entity", None) == entity.address:
            landed.set()
            await go_on.wait()
        return head

    host.log.append = slow  # type: ignore[method-assign,assignment]
    sending = asyncio.create_task(hosting.send("service/db", RequestProbe(reason="x")))
    await landed.wait()
    await host.write_checkpoints()
    assert await load(hosting.log) == await load(hosting.log, cached=False)
    go_on.set()
    await sending


async def test_a_host_that_lost_its_buckets_and_does_not_know_writes_no_checkpoint(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await lived(hosting)
    own = Host.own

    async def only_others(self: Host, ownership: Ownership) -> None:
        if self is not host:
            await own(self, ownership)

    monkeypatch.setattr(Host, "own", only_others)
    await hosting.place(h2=PLACED)
    await hosting.start("h2")
    await host.door.close()
    await hosting.report("db", "healthy")
    await hosting.quiet(0.3)
    await host.write_checkpoints()
    assert await Checkpoints(hosting.log).read(["service"]) == {}
    assert await load(hosting.log) == await load(hosting.log, cached=False)


async def test_a_host_whose_namesake_began_after_it_writes_no_checkpoint(
    hosting: Hosting,
) -> None:
    host = await lived(hosting)
    await hosting.start("h1")
    await host.write_checkpoints()
    assert await Checkpoints(hosting.log).read(["service"]) == {}


async def test_only_the_newest_checkpoint_is_read_unless_a_past_moment_is_asked_for(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await lived(hosting)
    for _ in range(3):
        await host.write_checkpoints()
    read: list[bytes] = []
    decode = Checkpoints._decode

    def counted(self: Checkpoints, payload: bytes) -> object:
        read.append(payload)
        return decode(self, payload)

    monkeypatch.setattr(Checkpoints, "_decode", counted)
    newest = await Checkpoints(hosting.log).read(PLACED)
    assert len(newest) == len(read) == 256 * len(PLACED)
    read.clear()
    head = await hosting.log.head_sequence()
    assert (await Checkpoints(hosting.log).read(PLACED, before=head)).keys() == newest.keys()
    assert len(read) == 3 * 256 * len(PLACED)


async def test_a_past_moment_is_read_from_the_checkpoint_before_it(hosting: Hosting) -> None:
    host = await lived(hosting)
    alert = FireAlert(labels={"alertname": "A"}, severity="info", receivers=())
    moments: list[tuple[int, dict[EntityAddress, object]]] = []
    for number in range(3):
        await hosting.send(f"alert/a{number}", alert)
        await hosting.quiet(0.3)
        moments.append((await hosting.log.head_sequence(), {**await hosting.folded()}))
        await host.write_checkpoints()
    for sequence, states in moments:
        entities = await Store(hosting.log).load(ALL, until=sequence)
        assert {address: one.state for address, one in entities.items()} == {
            address: state for address, state in states.items() if address.kind in PLACED
        }
